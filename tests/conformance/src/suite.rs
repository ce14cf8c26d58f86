//! The macros that make tests, and a list, from the table of cases.

/// Makes a `#[test]` of every case, in one module per clause.
///
/// ```text
/// dm_conformance::suite!(MyHarness);
/// dm_conformance::suite!(MyHarness, reopen = "keeps nothing on disk");
/// ```
///
/// Use the second form for a store whose data does not outlive its last handle
/// ([`Harness::REOPENS`] is `false`). The cases about reopening are then ignored, with this reason.
///
/// [`Harness::REOPENS`]: crate::Harness::REOPENS
#[macro_export]
macro_rules! suite {
    ($harness:ty) => {
        const _: () =
            assert!(<$harness as $crate::Harness>::REOPENS, "give the reason in the suite: `reopen = \"…\"`");
        $crate::__table! { __tests($harness, ()) }
    };
    ($harness:ty, reopen = $reason:literal) => {
        const _: () = assert!(!<$harness as $crate::Harness>::REOPENS, "a store that reopens runs all cases");
        $crate::__table! { __tests($harness, ($reason)) }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    (($harness:ty, $reopen:tt) $($module:ident { $($case:ident $([$needs:ident])?),* $(,)? })*) => {
        $(
            mod $module {
                #[allow(unused_imports, reason = "the harness may be named by any path")]
                use super::*;
                $crate::__each! { $harness, $reopen, $module { $($case [$($needs)?])* } }
            }
        )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __each {
    ($harness:ty, $reopen:tt, $module:ident { $($case:ident $needs:tt)* }) => {
        $( $crate::__test! { $harness, $reopen, $module, $case $needs } )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __test {
    ($harness:ty, ($reason:literal), $module:ident, $case:ident [reopen]) => {
        #[test]
        #[ignore = $reason]
        fn $case() {
            $crate::run::<$harness>(stringify!($module), $crate::cases::$module::$case);
        }
    };
    ($harness:ty, $reopen:tt, $module:ident, $case:ident $needs:tt) => {
        #[test]
        fn $case() {
            $crate::run::<$harness>(stringify!($module), $crate::cases::$module::$case);
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __list {
    (($harness:ty) $($module:ident { $($case:ident $([$needs:ident])?),* $(,)? })*) => {
        vec![$($(
            $crate::Case::new(stringify!($module), stringify!($case), |world: $crate::World<$harness>| {
                Box::pin($crate::cases::$module::$case(world))
            }),
        )*)*]
    };
}
