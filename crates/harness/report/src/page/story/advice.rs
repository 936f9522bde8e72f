//! The last step: what to do about the work that went on in this run, and that it helps.

use measure::results::Results;
use measure::table::{Cell, Column, Table};
use measure::text::list;

use super::{Step, all_tied, framed, opening, plain};
use crate::advice::{self, Advice};
use crate::html;
use crate::page::gantt::capital;
use crate::page::lanes::{self, Shown};

/// Returns the remedies as code.
fn code(advice: &[Advice<'_>]) -> Table {
    let columns = ["Rust", "Go", "Python"].map(Column::words);
    let mut table = Table::new("What to do, as code", "to do", columns);
    table.note = "The same as code. In Rust ctx is this project's context; in Python canceled is a threading.Event that is set when \
                  the request ends."
        .to_owned();
    for one in advice {
        table.line(one.remedy.brief(), one.remedy.code().map(Cell::plain).into());
    }
    table
}

pub(super) fn step(results: &Results) -> Result<Step, String> {
    let advice = advice::of(results);
    let told = if advice.is_empty() {
        "In this run no work went on after its answer or its client, so there is nothing to mend."
    } else {
        "Work stops if its code is told to. In brackets: what needed it in this run."
    };
    let say = |one: &Advice<'_>| format!("{} ({})", one.remedy.sentence(), list(&one.needed));
    let points: Vec<String> = advice.iter().map(say).collect();
    // The same server, so that nothing differs but the code.
    let same = ["detached", "blocking", "drop", "spin"].iter().find_map(|style| {
        let bad = opening::zombie(results, style, |_| true)?;
        let good = |style: &&str| opening::stopped(results, style, |name| name == bad.server);
        Some((bad, ["context", "polling"].iter().find_map(good)?))
    });
    let pictures = match same {
        Some((bad, good)) => {
            let shown = [bad, good].map(|life| Shown {
                words: format!("{} ({})", capital(plain(&life.style)), life.style),
                of: String::new(),
                life,
            });
            let title = "The same server without and with the question";
            let caption = format!("Both on the server {}; only the code of the work differs.", bad.server);
            framed(&lanes::picture(results, "remedy", title, &shown), caption)
                .map_err(|error| error.to_string())?
        }
        None => String::new(),
    };
    let told = all_tied(&[told.to_owned()]);
    let table = if advice.is_empty() { String::new() } else { html::table(&code(&advice), true)? };
    Ok(Step { id: "step-5", title: "5. What to do?", told, pictures, points, table })
}

#[cfg(test)]
mod tests {
    use measure::fixtures::{empty, life};

    use super::*;

    #[test]
    fn what_went_on_is_met_with_what_stops_it_and_the_picture_is_of_one_server() {
        let mut results = empty(&["tokio", "threads"]);
        results.measured.zombie = vec![
            life("tokio", "context", 0.2),
            life("threads", "context", 0.3),
            life("threads", "drop", 2000.0),
            life("tokio", "detached", 2699.0),
        ];
        let step = step(&results).unwrap();
        assert_eq!(step.points.len(), 2, "{:?}", step.points);
        assert!(step.points[0].contains("(drop)") && step.points[1].contains("(detached)"));
        assert_eq!(step.table.matches("<td").count(), 6, "two remedies in three languages: {}", step.table);
        assert!(step.pictures.contains("Both on the server tokio"), "{}", step.pictures);
    }

    #[test]
    fn where_nothing_went_on_there_is_nothing_to_mend() {
        let mut results = empty(&["tokio"]);
        results.measured.zombie = vec![life("tokio", "context", 0.2)];
        let step = step(&results).unwrap();
        assert!(step.points.is_empty() && step.told[0].contains("nothing to mend"));
    }
}
