//! The needs that kept scenarios from being judged, and the ways in which a server meets them.

use testbed::capability::Capability;

use crate::document::{Document, Row};
use crate::verdict::Verdict;

/// One thing that a server lacks, and how many scenarios were not judged for want of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The thing that it lacks.
    pub need: Capability,
    /// The number of scenarios that need it.
    pub scenarios: usize,
}

impl Missing {
    /// Returns what the server of these rows lacks; what most scenarios need comes first.
    pub fn of<'a>(rows: impl IntoIterator<Item = &'a Row>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for need in rows.into_iter().flat_map(|row| row.lacks.iter().copied()) {
            match all.iter_mut().find(|have| have.need == need) {
                Some(have) => have.scenarios += 1,
                None => all.push(Self { need, scenarios: 1 }),
            }
        }
        all.sort_by_key(|one| (std::cmp::Reverse(one.scenarios), one.need));
        all
    }
}

/// Says why a run judged nothing and measured nothing, and what it would take; `None` when it did.
pub fn nothing_judged(run: &Document) -> Option<String> {
    if run.has_judged() {
        return None;
    }
    let missing = Missing::of(&run.results);
    // Without a server nothing is missing of it: why there is none has a row of its own.
    let first = missing.first()?;
    let unsupported = run.results.iter().filter(|row| row.verdict == Verdict::Unsupported).count();
    let mut text = format!(
        "nothing was judged: the server lacks what all {unsupported} scenarios need; most need `{}`: {}",
        first.need,
        takes(first.need)
    );
    let others: Vec<String> = missing[1..].iter().map(|one| format!("`{}`", one.need)).collect();
    if !others.is_empty() {
        text += &format!("; {} is missing too", others.join(", "));
    }
    Some(text)
}

/// Says what a server has to do to be found to have this.
pub fn takes(need: Capability) -> String {
    let style = need.word().strip_prefix("style:");
    let endpoint = need.word().strip_prefix("endpoint:");
    let flag = need.word().strip_prefix("flag:");
    match need {
        Capability::Witness => {
            "its work sends `<X-Request-Id> start`, `… beat N` and `… end completed` by UDP to the address in the variable \
             LAB_WITNESS or in the place of `{witness}` in its command"
        }
        Capability::StyleContext => {
            "its work sends heartbeats; and if it knows the parameter, `style=no-such-style` is answered 400"
        }
        Capability::Process => "the lab starts it: --run instead of --url",
        Capability::Admin => "it serves its own count of its requests and work, and prints `admin on http://ADDR` behind its first line, or --admin names it",
        Capability::Routing => "it answers 404 for a path that it does not have",
        Capability::Methods => "it answers 405 for `DELETE /fast`, and no 200 for `FROB /fast`",
        Capability::Head => "it answers 200 for `HEAD /fast`, and something else for `FROB /fast`",
        Capability::Post => "it answers `POST /slow`",
        Capability::KeepAlive => "it serves a second request on a connection",
        Capability::RequestId => "it returns `X-Request-Id`",
        Capability::JsonErrors => "its 404 is JSON with a field `reason`",
        Capability::TimeoutHeader => "it answers 400 for `grpc-timeout: nonsense`",
        Capability::ParamWork => {
            "`GET /slow?work=1ms` is answered 200 after a millisecond, and `work=no-such-duration` 400"
        }
        Capability::Http2 => "it speaks HTTP/2 with prior knowledge on the same port",
        Capability::ParamTick => {
            "`GET /slow?work=40ms&tick=20ms` beats twice, and `tick=no-such-duration` is answered 400"
        }
        Capability::ParamBody => "`POST /slow?body=ignore` leaves the body unread, and `body=eat` is answered 400",
        Capability::HouseLimits => "only the lab's own servers promise limits of just these sizes",
        Capability::BeyondGoroutineleak => "only a server in Go has it",
        _ => match (style, endpoint, flag) {
            (Some(style), ..) => {
                return format!(
                    "`GET /slow?style={style}` works in that style, and `style=no-such-style` is answered 400"
                );
            }
            (_, Some(path), _) => return format!("it serves `{path}`, and answers 404 for a path that it does not have"),
            (.., Some("--listen" | "--admin" | "--witness")) => "only servers of the list take it",
            (.., Some(flag)) => {
                let place = flag.trim_start_matches('-');
                return format!("its command names it, as in `serve {flag}={{{place}}}`");
            }
            _ => "it is not asked for",
        },
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lacking(needs: &[Capability]) -> Row {
        let row = Row::whole_server("run", "work/context", Verdict::Unsupported, "lacks something");
        Row { lacks: needs.to_vec(), ..row }
    }

    #[test]
    fn what_most_scenarios_need_comes_first() {
        let rows = [
            lacking(&[Capability::Admin]),
            lacking(&[Capability::Witness, Capability::StyleDrop]),
            lacking(&[Capability::Witness]),
        ];
        let missing = Missing::of(&rows);
        assert_eq!((missing[0].need, missing[0].scenarios), (Capability::Witness, 2));
        assert_eq!(missing.len(), 3);
    }

    #[test]
    fn everything_that_can_be_missing_has_a_sentence_that_says_what_it_takes() {
        for need in Capability::ALL {
            assert!(takes(*need).len() > 10, "{need}: {}", takes(*need));
        }
    }
}
