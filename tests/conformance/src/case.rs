//! A case, and running it.

use std::future::Future;
use std::pin::Pin;

use crate::{CLAUSES, Clause, Harness, World};

/// What a case does with a store at a fresh place.
type Run<H> = fn(World<H>) -> Pin<Box<dyn Future<Output = ()>>>;

/// One case: something a store must do.
pub struct Case<H: Harness> {
    /// The module it stands in: a clause's, or one about all clauses at once or about one kind of write.
    pub module: &'static str,
    /// Its name, which says what must hold.
    pub name: &'static str,
    run: Run<H>,
}

impl<H: Harness> Case<H> {
    #[doc(hidden)]
    pub const fn new(module: &'static str, name: &'static str, run: Run<H>) -> Self {
        Self { module, name, run }
    }

    /// The clause it is about; `None` for a case about all of them, or about what a write's own type says.
    #[must_use]
    pub fn clause(&self) -> Option<&'static Clause> {
        CLAUSES.iter().find(|clause| clause.module == self.module)
    }

    /// Runs the case at a fresh place.
    ///
    /// # Panics
    /// When the store does not do what it must.
    pub fn run(&self) {
        run(self.module, async |world| (self.run)(world).await);
    }

    /// Runs the case at a fresh place, and says whether the store does what it must: for programs that go on with the
    /// next case. The panic that says what is wrong goes to the panic hook.
    #[must_use]
    pub fn passes(&self) -> bool {
        std::panic::catch_unwind(|| on_a_runtime(async |world| (self.run)(world).await)).is_ok()
    }
}

impl<H: Harness> std::fmt::Debug for Case<H> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}::{}", self.module, self.name)
    }
}

/// Every case, in the order of the clauses.
#[must_use]
pub fn cases<H: Harness>() -> Vec<Case<H>> {
    crate::__table!(__list(H))
}

/// Runs a case of a module at a fresh place, on a runtime of its own. What [`suite!`](crate::suite) expands to.
///
/// # Panics
/// When the case does; the clause it is about is printed.
#[doc(hidden)]
pub fn run<H: Harness>(module: &str, case: impl AsyncFnOnce(World<H>)) {
    let _quote = Quote(CLAUSES.iter().find(|clause| clause.module == module));
    on_a_runtime(case);
}

fn on_a_runtime<H: Harness>(case: impl AsyncFnOnce(World<H>)) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("the machine gives threads");
    runtime.block_on(async { case(World::new().await).await });
}

/// Quotes the clause when the case fails.
struct Quote(Option<&'static Clause>);

impl Drop for Quote {
    fn drop(&mut self) {
        if let Some(clause) = self.0.filter(|_| std::thread::panicking()) {
            eprintln!("the contract's clause {} is broken: {}", clause.number, clause.text);
        }
    }
}
