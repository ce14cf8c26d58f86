//! Comparing what a store says with what it must say.

/// Fails a case in which the store said something else than it must. The first argument is the
/// store's side; the failure names both.
macro_rules! must_be {
    ($said:expr, $must:expr $(,)?) => {
        must_be!($said, $must, "{}", stringify!($said))
    };
    ($said:expr, $must:expr, $($about:tt)+) => {
        match (&$said, &$must) {
            (said, must) => if *said != *must {
                let about = format!($($about)+);
                panic!("{about}\nthe store says {said:?}\n    it must be {must:?}")
            }
        }
    };
}
