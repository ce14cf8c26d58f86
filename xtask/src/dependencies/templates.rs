//! The items that the macros of a crate make, as far as their definitions show them.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// The items in the rules of a `macro_rules!` definition. A rule that makes something else than
/// items has none.
pub(super) fn items(definition: &syn::ItemMacro) -> Vec<syn::Item> {
    let mut items = Vec::new();
    let mut is_behind_arrow = false;
    for token in definition.mac.tokens.clone() {
        if let TokenTree::Group(group) = &token
            && is_behind_arrow
            && let Ok(file) = syn::parse2::<syn::File>(filled(group.stream()))
        {
            items.extend(file.items);
        }
        is_behind_arrow = is_punct(Some(&token), '>');
    }
    items
}

/// A rule with each variable replaced by its name, and each repetition by one of its elements.
fn filled(rule: TokenStream) -> TokenStream {
    let mut tokens = rule.into_iter().peekable();
    let mut filled_in = TokenStream::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(dollar) if dollar.as_char() == '$' => match tokens.next() {
                Some(TokenTree::Group(repeated)) if repeated.delimiter() == Delimiter::Parenthesis => {
                    filled_in.extend(filled(repeated.stream()));
                    // A separator may come before the operator.
                    if !is_operator(tokens.peek()) {
                        tokens.next();
                    }
                    tokens.next();
                }
                variable => filled_in.extend(variable),
            },
            TokenTree::Group(group) => {
                let group = Group::new(group.delimiter(), filled(group.stream()));
                filled_in.extend([TokenTree::Group(group)]);
            }
            other => filled_in.extend([other]),
        }
    }
    filled_in
}

fn is_operator(token: Option<&TokenTree>) -> bool {
    ['*', '+', '?'].into_iter().any(|operator| is_punct(token, operator))
}

fn is_punct(token: Option<&TokenTree>, character: char) -> bool {
    matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        items(&syn::parse_str(text).unwrap()).len()
    }

    #[test]
    fn the_items_of_all_rules_are_found() {
        let one = "macro_rules! one { ($name:ident) => { pub struct $name(u8); impl $name {} }; }";
        let two = "macro_rules! two { () => { fn a() {} }; ($a:ident) => { fn $a() {} }; }";
        assert_eq!((found(one), found(two)), (2, 2));
    }

    #[test]
    fn a_repetition_is_taken_once() {
        let attributes = "macro_rules! a { ($(#[$a:meta])* $n:ident) => { $(#[$a])* pub struct $n; }; }";
        let separated = "macro_rules! b { ($($n:ident),*) => { pub enum E { $($n),* } }; }";
        assert_eq!((found(attributes), found(separated)), (1, 1));
    }

    #[test]
    fn a_rule_that_makes_no_items_has_none() {
        assert_eq!(found("macro_rules! a { ($a:expr) => { $a + 1 }; }"), 0);
    }
}
