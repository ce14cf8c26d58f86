//! Comparison of a store's answer with the expected one.

/// Fails a case if the store's answer, the first argument, differs from the expected one. The
/// failure shows both.
macro_rules! must_be {
    ($said:expr, $must:expr $(,)?) => {
        must_be!($said, $must, "{}", stringify!($said))
    };
    ($said:expr, $must:expr, $($about:tt)+) => {
        match (&$said, &$must) {
            (said, must) => if *said != *must {
                let about = format!($($about)+);
                panic!("{about}\nthe store answers {said:?}\n        expected {must:?}")
            }
        }
    };
}
