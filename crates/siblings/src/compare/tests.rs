//! Differences that are seeded into a server, and what is found of them.

use super::*;

/// A file of the server `one`, in the style of the real ones.
const ONE: &str = r#"
use std::time::Instant;

use ctx::Context;

use one::time;

/// Waits for the context.
pub(crate) async fn wait(ctx: &Context, end: Instant) -> bool {
    let began = Instant::now();
    time::sleep(end).await;
    log("one waited", began);
    ctx.err().is_some()
}

/// A pair.
struct Pair {
    first: u32,
    second: u32,
}
"#;

/// The same file of the server `two`.
fn two() -> String {
    ONE.replace("use one::time;", "use two::task;")
        .replace("time::sleep(end).await;", "task::wait(end);")
        .replace("one waited", "two waited")
        .replace("async fn", "fn")
}

fn found(two: &str) -> Vec<String> {
    let parse = |server: &str, text: &str| Source::parse(server, text).expect("the test's own text is Rust");
    compare(&parse("one", ONE), &parse("two", two)).iter().map(Difference::to_string).collect()
}

fn seeded(from: &str, to: &str) -> Vec<String> {
    let two = two();
    assert!(two.contains(from), "`{from}` is not there to be replaced");
    found(&two.replace(from, to))
}

#[test]
fn what_a_runtime_is_called_and_awaits_is_no_difference() {
    assert_eq!(found(&two()), Vec::<String>::new());
}

#[test]
fn a_statement_more_is_found() {
    let found = seeded("    ctx.err()", "    ctx.check();\n    ctx.err()");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("fn wait") && found[0].contains("ctx.check();"), "{found:?}");
}

#[test]
fn a_statement_less_is_found() {
    assert_eq!(seeded("    let began = Instant::now();\n", "").len(), 1);
}

#[test]
fn another_value_another_order_and_another_name_are_found() {
    assert_eq!(seeded("two waited", "two has waited").len(), 1);
    assert_eq!(seeded("is_some()", "is_none()").len(), 1);
    assert!(!seeded("first: u32,\n    second: u32,", "second: u32,\n    first: u32,").is_empty());
    assert!(!seeded("let began", "let start").is_empty());
}

#[test]
fn a_statement_more_beside_one_of_the_runtime_is_found() {
    assert_eq!(seeded("    task::wait(end);", "    ctx.check();\n    task::wait(end);").len(), 1);
    assert_eq!(seeded("    task::wait(end);", "    task::wait(end);\n    ctx.check();").len(), 1);
}

#[test]
fn a_comment_explains_the_statement_below_it_and_no_other() {
    let more = "    // two: nobody else has to.\n    ctx.check(\n        1,\n    );\n";
    assert_eq!(seeded("    ctx.err()", &format!("{more}    ctx.err()")), Vec::<String>::new());
    assert_eq!(seeded("    ctx.err()", &format!("{more}    ctx.other();\n    ctx.err()")).len(), 1);
}

#[test]
fn a_comment_of_another_server_or_of_none_explains_nothing() {
    for comment in
        ["// one: nobody else has to.", "// nobody else has to.", "// twofold: yes.", "/// two: yes."]
    {
        let found = seeded("    ctx.err()", &format!("    {comment}\n    ctx.check();\n    ctx.err()"));
        assert_eq!(found.len(), 1, "{comment}");
    }
}

#[test]
fn a_comment_explains_the_lines_whose_name_it_gives() {
    let named = "    // two: a `check` is made here.\n    let began";
    let with_check = two().replace("    ctx.err()", "    ctx.check();\n    ctx.err()");
    assert_eq!(found(&with_check.replace("    let began", named)), Vec::<String>::new());
    assert_eq!(
        found(&with_check.replace("    let began", "    // two: a `chec` is made.\n    let began")).len(),
        1
    );
    let header = format!("// two: a `check` is made where nobody else has to.\n{with_check}");
    assert_eq!(found(&header), Vec::<String>::new());
}

#[test]
fn another_body_has_to_be_called_so() {
    let other = two().replace("ctx.err().is_some()", "loop {\n        ctx.check();\n    }");
    let marked = |mark: &str| found(&other.replace("/// Waits", &format!("// two: {mark}\n/// Waits")));
    assert_eq!(marked("another body, because it loops.").len(), 0);
    assert_eq!(marked("it loops.").len(), 1);
}

#[test]
fn documentation_may_differ_where_a_comment_above_it_says_so() {
    assert_eq!(seeded("/// Waits for the context.", "/// Waits for a while.").len(), 1);
    let marked = "// two: nothing tells it of the context.\n/// Waits for a while.";
    assert_eq!(seeded("/// Waits for the context.", marked), Vec::<String>::new());
}

#[test]
fn an_item_that_is_absent_is_named_in_its_place() {
    let whole = "/// A pair.\nstruct Pair {\n    first: u32,\n    second: u32,\n}\n";
    assert_eq!(seeded(whole, "").len(), 1);
    assert_eq!(seeded(whole, "// two: no `Pair`, because one is enough.\n"), Vec::<String>::new());
    assert_eq!(seeded(whole, "// two: no `Pear`, because one is enough.\n").len(), 1);
    let misplaced = format!("// two: no `Pair`, because one is enough.\n{}", two().replace(whole, ""));
    assert!(!found(&misplaced).is_empty());
}

#[test]
fn an_item_more_says_that_it_is_only_here() {
    let more = "/// One.\nconst ONE: u32 = 1;\n\n/// A pair.";
    assert_eq!(seeded("/// A pair.", more).len(), 1);
    let marked = format!("// two: only here, because the others count otherwise.\n{more}");
    assert_eq!(seeded("/// A pair.", &marked), Vec::<String>::new());
}

#[test]
fn another_layout_of_the_same_code_is_no_difference() {
    let long = "    log(\n        \"two waited\",\n        began,\n    );";
    assert_eq!(seeded("    log(\"two waited\", began);", long), Vec::<String>::new());
}
