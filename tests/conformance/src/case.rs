//! One case of the suite, and the functions that run it.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::broken::Examined;
use crate::{CLAUSES, Clause, Harness, World};

/// The function of a case. It gets a store at a fresh storage location.
type Run<H> = fn(World<H>) -> Pin<Box<dyn Future<Output = ()>>>;

/// One case: a property that a store must have.
pub struct Case<H: Harness> {
    /// The module that it is in: that of a clause, of all clauses at once, or of one kind of write.
    pub module: &'static str,
    /// Its name, which states the property.
    pub name: &'static str,
    run: Run<H>,
}

impl<H: Harness> Case<H> {
    #[doc(hidden)]
    pub const fn new(module: &'static str, name: &'static str, run: Run<H>) -> Self {
        Self { module, name, run }
    }

    /// The clause that it tests. `None` for cases about all clauses, and for those about the
    /// documentation of one kind of write.
    #[must_use]
    pub fn clause(&self) -> Option<&'static Clause> {
        CLAUSES.iter().find(|clause| clause.module == self.module)
    }

    /// Runs the case at a fresh storage location.
    ///
    /// # Panics
    /// Panics if the store fails the case, or if the case does not end within its time limit.
    pub fn run(&self) {
        run(self.module, self.closure());
    }

    /// Runs the case at a fresh storage location and returns whether the store passes. The panic
    /// with the reason goes to the panic hook, so a program can go on with the next case.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.passes_within(limit())
    }

    /// As [`passes`](Self::passes), with another time limit.
    #[must_use]
    pub fn passes_within(&self, limit: Duration) -> bool {
        std::panic::catch_unwind(|| on_a_thread(limit, self.closure())).is_ok()
    }

    fn closure(&self) -> impl AsyncFnOnce(World<H>) + Send + 'static {
        let run = self.run;
        async move |world| run(world).await
    }
}

impl<H: Harness> std::fmt::Debug for Case<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}", self.module, self.name)
    }
}

/// All cases, in the order of the clauses.
#[must_use]
pub fn cases<H: Harness>() -> Vec<Case<H>> {
    crate::__table!(__list(H))
}

/// Runs a case of a module at a fresh storage location, on its own runtime. The tests of
/// [`suite!`](crate::suite) call it.
///
/// # Panics
/// Panics if the case does, or if it does not end in time; the clause that it tests is printed.
#[doc(hidden)]
pub fn run<H: Harness>(module: &str, case: impl AsyncFnOnce(World<H>) + Send + 'static) {
    let _quote = Quote(CLAUSES.iter().find(|clause| clause.module == module));
    on_a_thread(limit(), case);
}

/// The time limit of a case: `DM_CASE_SECONDS`, or five minutes, times the factor by which
/// `DM_CASES` and `DM_ROUNDS` exceed their defaults.
fn limit() -> Duration {
    let number = |name| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    let more = number("DM_CASES").map_or(1, |cases| cases.div_ceil(256)) * number("DM_ROUNDS").unwrap_or(1);
    Duration::from_secs(number("DM_CASE_SECONDS").unwrap_or(300).into()).saturating_mul(more.max(1))
}

/// Runs a case on its own thread. A case that does not end, because it waits or loops, fails at the
/// time limit, and its thread is left running.
fn on_a_thread<H: Harness>(limit: Duration, case: impl AsyncFnOnce(World<H>) + Send + 'static) {
    let (running, ended) = mpsc::channel::<()>();
    let examined = Examined::of_this_thread();
    let name = thread::current().name().unwrap_or("case").to_owned();
    let work = move || {
        // This is dropped last, also if the case panics.
        let _running = running;
        examined.on_this_thread();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a thread can be started");
        runtime.block_on(async { case(World::new().await).await });
    };
    let case = thread::Builder::new().name(name).spawn(work).expect("a thread can be started");
    if ended.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
        panic!(
            "the case did not end within {limit:?}: the store does not answer, or always says that there is more"
        );
    }
    if let Err(failure) = case.join() {
        std::panic::resume_unwind(failure);
    }
}

/// Prints the clause when the case fails.
struct Quote(Option<&'static Clause>);

impl Drop for Quote {
    fn drop(&mut self) {
        if let Some(clause) = self.0.filter(|_| thread::panicking()) {
            eprintln!("the contract's clause {} is broken: {}", clause.number, clause.text);
        }
    }
}
