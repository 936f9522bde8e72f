//! The four questions that are asked of a server which is not of the list, and the scenarios that answer each: the set
//! `stranger`, which the gallery runs too.

use testbed::adapters::Question;
use testbed::capability::Capability;

use crate::document::Row;
use crate::scenario::{Judges, Scenario, Slot};
use crate::scenarios;
use crate::verdict::Verdict;

/// The word that stands for the scenarios of all four questions where a pattern is asked for.
pub const SET: &str = "stranger";

/// The capabilities that a server of any kind can be found to have; anything else takes the flags, endpoints and census of the contract.
const COMMON: &[Capability] = &[
    Capability::Process,
    Capability::Witness,
    Capability::StyleContext,
    Capability::ParamWork,
    Capability::ParamTick,
    Capability::ParamBody,
    Capability::KeepAlive,
    Capability::Post,
];

/// The scenarios in which the client does not send the body that it has announced. No framework documents that the
/// deadline of a handler ends the reading of a body, so that a miss is reported and does not make the answer a no.
const BEYOND: &[&str] = &["deadline/expect-continue", "deadline/stalled-body"];

/// Returns the question that a scenario helps to answer, if it is of the set.
pub fn of(scenario: &Scenario) -> Option<Question> {
    let question = Question::of_area(scenario.area())?;
    let fits = match question {
        Question::Answers => scenario.judges == [Judges::Answer],
        // Of a connection alone it can be said without a witness that it was closed, and not that the work stopped.
        Question::Deadline | Question::Disconnect => scenario.needs.contains(&Capability::Witness),
        Question::Spared => true,
    };
    let light = matches!(scenario.slot, Slot::Shared | Slot::Own);
    let common = scenario.flags.is_empty() && scenario.needs.iter().all(|need| COMMON.contains(need));
    (fits && light && common).then_some(question)
}

/// Returns the question that the scenario of this id helps to answer.
pub fn of_id(id: &str) -> Option<Question> {
    scenarios::all().into_iter().find(|scenario| scenario.id == id).and_then(of)
}

/// True when a miss of this scenario does not make the answer to its question a no.
pub fn is_beyond(id: &str) -> bool {
    BEYOND.contains(&id)
}

/// The answer in words, of so many scenarios that were judged and so many of them that failed.
pub fn says(judged: usize, failed: usize) -> String {
    match (judged, judged - failed.min(judged)) {
        (0, _) => "not judged".to_owned(),
        (judged, passed) if passed == judged => "yes".to_owned(),
        (_, 0) => "no".to_owned(),
        (judged, passed) => format!("in {passed} of {judged} ways"),
    }
}

/// The answer to a question.
#[derive(Debug, Clone)]
pub struct Reply<'a> {
    /// The question.
    pub question: Question,
    /// The number of scenarios that came to a verdict.
    pub judged: usize,
    /// The rows that failed, in the order of the table.
    pub failed: Vec<&'a Row>,
    /// The rows that failed and do not make the answer a no.
    pub beyond: Vec<&'a Row>,
    /// The rows that were not judged.
    pub unjudged: Vec<&'a Row>,
}

impl Reply<'_> {
    /// The answer in a few words.
    pub fn says(&self) -> String {
        says(self.judged, self.failed.len())
    }

    /// The ways that were not judged, in words, beside an answer from the others.
    pub fn left_out(&self) -> Option<String> {
        let some = self.judged > 0 && !self.unjudged.is_empty();
        some.then(|| {
            format!("{} of {} ways not judged", self.unjudged.len(), self.judged + self.unjudged.len())
        })
    }
}

/// Returns the four answers of a server's rows; scenarios that are not of the set count for none.
pub fn replies<'a>(rows: &[&'a Row]) -> Vec<Reply<'a>> {
    let reply = |question| {
        let mine = rows.iter().copied().filter(|row| of_id(&row.id) == Some(question));
        let (judged, unjudged): (Vec<&Row>, Vec<&Row>) = mine.partition(|row| row.is_judged());
        let (misses, passed): (Vec<&Row>, Vec<&Row>) =
            judged.into_iter().partition(|row| matches!(row.verdict, Verdict::Fail | Verdict::Xpass));
        let (beyond, failed): (Vec<&Row>, Vec<&Row>) = misses.into_iter().partition(|row| is_beyond(&row.id));
        Reply { question, judged: passed.len() + failed.len(), failed, beyond, unjudged }
    };
    Question::ALL.iter().map(|question| reply(*question)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_question_has_scenarios_and_none_takes_flags_or_endpoints_of_the_contract() {
        let set = scenarios::select(SET).unwrap();
        for question in Question::ALL {
            let count = set.iter().filter(|one| of(one) == Some(*question)).count();
            assert!(count >= 3, "{}: {count}", question.heading());
        }
        assert!(set.iter().all(|one| one.flags.is_empty()));
        let endpoint = |need: &Capability| need.word().starts_with("endpoint:");
        assert!(!set.iter().any(|one| one.needs.iter().any(endpoint)));
    }

    #[test]
    fn what_no_framework_promises_is_of_the_set_and_of_the_first_question() {
        for id in BEYOND {
            let scenario =
                scenarios::all().into_iter().find(|one| one.id == *id).expect("it is in the table");
            assert_eq!(of(scenario), Some(Question::Answers), "{id}");
        }
    }

    fn row(id: &str, verdict: Verdict) -> Row {
        Row { attempts: 1, ..Row::whole_server("run", id, verdict, "seen") }
    }

    #[test]
    fn an_answer_is_yes_no_or_a_share() {
        let of = |rows: &[Row]| replies(&rows.iter().collect::<Vec<_>>())[2].says();
        assert_eq!(of(&[]), "not judged");
        assert_eq!(of(&[row("disconnect/fin", Verdict::Pass)]), "yes");
        assert_eq!(of(&[row("disconnect/fin", Verdict::Fail)]), "no");
        let both = [row("disconnect/fin", Verdict::Fail), row("disconnect/rst", Verdict::Pass)];
        assert_eq!(of(&both), "in 1 of 2 ways");
        assert_eq!(of(&[Row { attempts: 0, ..row("disconnect/fin", Verdict::Unsupported) }]), "not judged");
    }

    #[test]
    fn a_body_that_stalls_makes_no_answer_a_no() {
        let rows = [row("deadline/answers-504", Verdict::Pass), row("deadline/stalled-body", Verdict::Fail)];
        let reply = replies(&rows.iter().collect::<Vec<_>>()).remove(0);
        assert_eq!((reply.says().as_str(), reply.failed.len(), reply.beyond.len()), ("yes", 0, 1));
    }
}
