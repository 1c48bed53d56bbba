//! The whole surface of the believable agent, word for word. A change here is a change of every digest in every cluster.

use super::*;

#[test]
fn the_surface_is_as_written() {
    let resolved = refund().resolve();
    assert_eq!(reasons(&resolved), Vec::<&str>::new(), "{:#?}", resolved.problems);
    insta::assert_yaml_snapshot!("surface", resolved.surface);
    insta::assert_snapshot!("digest", resolved.surface.digest());
}

#[test]
fn what_policies_see_is_as_written() {
    insta::assert_yaml_snapshot!("expression", refund().resolve().surface.expression_input());
}

#[test]
fn what_is_bound_is_as_written() {
    let resolved = refund().resolve();
    insta::assert_yaml_snapshot!("bound", (resolved.bindings, resolved.configuration));
}
