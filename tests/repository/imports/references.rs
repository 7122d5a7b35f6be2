//! Every path of a source file that leads to a module of this crate, wherever it stands: in `use`, in
//! types and expressions, inside macros, in the strings of attributes such as serde's `with`.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, ImplItemFn, Item, ItemMod, ItemUse, Macro, Meta, UseTree, Visibility};

/// A path from the crate's root, without `crate`.
pub(super) type Reference = Vec<String>;

/// The crate's name, under which the binary sees the library.
const CRATE: &str = "liquid_auth_proxy";

/// All references of the file of `module`, the code of its tests left out.
pub(super) fn references(module: &str, text: &str, modules: &BTreeSet<String>) -> BTreeSet<Reference> {
    let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{module}: {error}"));
    let mut references = References {
        at: module.split("::").map(String::from).collect(),
        modules,
        names: BTreeMap::new(),
        found: BTreeSet::new(),
    };
    // A name can be used above its `use`, and one `use` can build on another: go on until nothing is new.
    loop {
        let known = references.names.len();
        references.visit_file(&file);
        if references.names.len() == known {
            return references.found;
        }
    }
}

struct References<'a> {
    /// The module that the visit is in, inline ones included.
    at: Vec<String>,
    modules: &'a BTreeSet<String>,
    /// What `use` brought into the file, each name with its path from the root.
    names: BTreeMap<String, Reference>,
    found: BTreeSet<Reference>,
}

impl References<'_> {
    /// The path from the crate's root; `None` when it leads to another crate or to a local name.
    fn path_from_root(&self, path: &[String]) -> Option<Reference> {
        let (first, rest) = path.split_first()?;
        let mut start = match first.as_str() {
            "crate" | CRATE => Vec::new(),
            "self" => self.at.clone(),
            "super" => {
                let above = rest.iter().take_while(|part| *part == "super").count();
                let start = self.at[..self.at.len().saturating_sub(1 + above)].to_vec();
                return Some([&start, &rest[above..]].concat());
            }
            name => {
                let child = [&self.at[..], &[name.to_string()]].concat();
                if self.modules.contains(&child.join("::")) { child } else { self.names.get(name)?.clone() }
            }
        };
        start.extend_from_slice(rest);
        Some(start)
    }

    fn record(&mut self, path: &[String]) {
        // A word alone is a local name, or was recorded where `use` brought it in.
        if let (true, Some(reference)) = (path.len() > 1, self.path_from_root(path)) {
            self.found.insert(reference);
        }
    }

    fn record_use(&mut self, tree: &UseTree, before: &[String]) {
        let join = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.record_use(&path.tree, &join(&path.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.record_use(tree, before)),
            UseTree::Name(name) if name.ident == "self" => {
                self.bring_in(before.last().cloned().unwrap_or_default(), before);
            }
            UseTree::Name(name) => self.bring_in(name.ident.to_string(), &join(&name.ident)),
            UseTree::Rename(rename) if rename.ident == "self" => {
                self.bring_in(rename.rename.to_string(), before);
            }
            UseTree::Rename(rename) => self.bring_in(rename.rename.to_string(), &join(&rename.ident)),
            UseTree::Glob(_) => {
                self.record(&[before, &["*".to_string()]].concat());
                let parent = self.path_from_root(before).map(|parent| parent.join("::")).unwrap_or_default();
                for module in self.modules {
                    if let Some((above, name)) =
                        module.rsplit_once("::").filter(|(above, _)| *above == parent)
                    {
                        let reference = above.split("::").chain([name]).map(String::from).collect();
                        self.names.entry(name.to_string()).or_insert(reference);
                    }
                }
            }
        }
    }

    fn bring_in(&mut self, name: String, path: &[String]) {
        self.record(path);
        if let Some(reference) = self.path_from_root(path) {
            self.names.entry(name).or_insert(reference);
        }
    }

    /// Paths in code that is not parsed yet. In attributes a string can hold one too.
    fn record_tokens(&mut self, tokens: TokenStream, strings: bool) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.record(&std::mem::take(&mut path));
                    } else if path.is_empty() {
                        // `::name` is another crate, whatever is called `name` here.
                        path.push(String::new());
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                other => {
                    self.record(&std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.record_tokens(group.stream(), strings),
                        TokenTree::Literal(literal) if strings => {
                            let inner = literal.to_string();
                            if let Ok(path) = inner.trim_matches('"').parse() {
                                self.record_tokens(path, false);
                            }
                        }
                        _ => {}
                    }
                }
            }
        }
        self.record(&path);
    }
}

impl<'ast> Visit<'ast> for References<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_test_only) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        if !function.attrs.iter().any(is_test_only) {
            visit::visit_impl_item_fn(self, function);
        }
    }

    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        self.at.push(module.ident.to_string());
        visit::visit_item_mod(self, module);
        self.at.pop();
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if item.leading_colon.is_none() {
            self.record_use(&item.tree, &[]);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.leading_colon.is_none() {
            self.record(&path.segments.iter().map(|part| part.ident.to_string()).collect::<Vec<_>>());
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        self.record_tokens(call.tokens.clone(), false);
        visit::visit_macro(self, call);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta {
            self.record_tokens(list.tokens.clone(), true);
        }
    }

    /// `pub(crate)` and `pub(in crate::…)` say who sees, not what is seen.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}
}

fn is_test_only(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
