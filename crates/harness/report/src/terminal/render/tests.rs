use measure::table::{Cell, Column};

use super::*;

/// A table of so many servers with long names, one figure each.
fn wide(servers: usize) -> Table {
    let names: Vec<String> = (0..servers).map(|number| format!("a-server-with-a-name-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut model = Table::by_server("", "area", &names);
    model.line("deadline", names.iter().map(|_| Cell::plain("20/20")).collect());
    model
}

#[test]
fn a_table_by_servers_is_parted_between_them_and_breaks_no_name() {
    let text = table(&wide(13), Screen::FILE);
    assert!(text.lines().all(|line| line.chars().count() <= usize::from(WIDTH)), "{text}");
    assert_eq!((text.matches(" area").count(), text.matches("20/20").count()), (5, 13), "{text}");
    for number in 0..13 {
        assert!(
            text.split_whitespace().any(|word| word == format!("a-server-with-a-name-{number}")),
            "{text}"
        );
    }
    assert_eq!(table(&wide(2), Screen::FILE).matches(" area").count(), 1);
}

#[test]
fn figures_end_at_the_right_and_words_begin_at_the_left() {
    let mut model = Table::new("", "server", [Column::of("took", "ms"), Column::words("why")]);
    model.line("tokio", vec![Cell::plain("1"), Cell::plain("slow")]);
    model.line("smol", vec![Cell::plain("1,000"), Cell::plain("so")]);
    assert_eq!(
        table(&model, Screen::FILE),
        " server  took, ms  why\n tokio          1  slow\n smol       1,000  so\n"
    );
}

#[test]
fn heads_that_do_not_fit_stand_in_lines_and_columns_keep_two_spaces_between_them() {
    let heads = ["work left after the 504s", "the last one ended after", "load generator's CPU", "threads"];
    let mut model = Table::new("", "server", heads);
    model.line("tokio", ["500", "516 ms", "97", "6"].map(Cell::plain).into());
    let flat = table(&model, Screen::FILE);
    assert!(flat.starts_with(" server  work left after the 504s  the last one ended after  "), "{flat}");
    for (width, lines) in [(66, 3), (60, 4)] {
        let text = table(&model, Screen::of(width, false));
        assert_eq!((text.lines().count(), text.matches("tokio").count()), (lines, 1), "{text}");
        let row = text.lines().last().unwrap();
        assert_eq!(row.split("  ").filter(|cell| !cell.trim().is_empty()).count(), 5, "{row}");
    }
}

#[test]
fn a_bad_cell_is_red_where_there_are_colors() {
    let mut model = Table::new("", "server", ["took"]);
    model.line("x", vec![Cell::new(Tone::Bad, "late")]);
    assert!(
        table(&model, Screen::of(100, true)).contains("\x1b[31m")
            || table(&model, Screen::of(100, true)).contains("\x1b[38;5;9m")
    );
    assert!(!table(&model, Screen::FILE).contains('\x1b'));
}

#[test]
fn a_long_sentence_is_broken_between_words_and_indented() {
    let text = wrap(&"word ".repeat(50), "  ");
    assert!(text.lines().all(|line| line.len() <= 100 && line.starts_with("  word")), "{text}");
    assert_eq!(text.split_whitespace().count(), 50);
}

#[test]
fn lines_of_a_message_stay_lines() {
    assert_eq!(wrap("one\ntwo", "  "), "  one\n  two");
}

#[test]
fn a_line_that_is_too_wide_is_folded_and_keeps_its_columns_and_every_word() {
    let row = format!("  \x1b[32mpass\x1b[0m        deadline/answers-504  {}", "seen ".repeat(30));
    let screen = Screen::of(80, true);
    let text = fold(&format!("short\n{row}\n"), screen);
    assert!(text.starts_with("short\n  \x1b[32mpass\x1b[0m        deadline/answers-504  seen"), "{text}");
    assert_eq!(text.matches("seen").count(), 30);
    let bare = text.replace("\x1b[32m", "").replace("\x1b[0m", "");
    assert!(bare.lines().all(|line| line.chars().count() <= 80), "{bare}");
    assert_eq!(fold("short\n", screen), "short\n");
    let word = format!("{}\n", "x".repeat(200));
    assert_eq!(fold(&word, screen), word, "a word is not broken");
}
