//! The placeholders of a command: where it listens, where heartbeats go, and the flags of the contract.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;

use crate::capability::Capability;
use crate::port;

/// Flags that a command cannot name: `{port}` and `{witness}` stand for them, and nothing for the admin address.
const NOT_NAMED: [Capability; 3] = [Capability::FlagListen, Capability::FlagAdmin, Capability::FlagWitness];

/// A variable of the environment.
type Pair = (OsString, OsString);

/// A command's words and its variables, with every placeholder filled in.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filled {
    /// The words.
    pub(super) words: Vec<OsString>,
    /// The variables.
    pub(super) env: Vec<Pair>,
    /// The port that one of them names.
    pub(super) port: Option<u16>,
}

/// Returns the flags that a command or its variables name: `{database}` stands for the value of `--database`.
pub(super) fn flags(words: &[OsString], env: &[(String, String)]) -> BTreeSet<Capability> {
    texts(words, env).flat_map(flags_of).map(|(flag, _)| flag).collect()
}

/// Fills in `{witness}`, `{port}` and these values of flags; the port, if one is named, is free now. What names a flag
/// that has no value is left out.
pub(super) fn fill(
    words: &[OsString],
    env: &[(String, String)],
    values: &[(&str, &str)],
    witness: SocketAddr,
) -> Result<Filled, String> {
    let names = texts(words, env).any(|text| text.contains("{port}"));
    let port = names.then(free_port).transpose()?;
    let filled = |text: &str| {
        let mut text = text.to_owned();
        for (flag, place) in flags_of(&text.clone()) {
            let value = values.iter().find(|(name, _)| Capability::flag(name) == Some(flag));
            text = text.replace(&place, value?.1);
        }
        text = text.replace("{witness}", &witness.to_string());
        Some(OsString::from(port.map_or(text.clone(), |port| text.replace("{port}", &port.to_string()))))
    };
    // A word that is no UTF-8 holds no placeholder.
    let word = |word: &OsString| word.to_str().map_or_else(|| Some(word.clone()), filled);
    let words = words.iter().filter_map(word).collect();
    let env = env.iter().filter_map(|(name, value)| Some((name.into(), filled(value)?))).collect();
    Ok(Filled { words, env, port })
}

/// Reads arguments as flags and their values; an argument that is neither is the error.
pub(super) fn pairs<'a>(args: &[&'a OsStr]) -> Result<Vec<(&'a str, &'a str)>, String> {
    let pair = |pair: &[&'a OsStr]| match *pair {
        [name, value] => Some((name.to_str()?, value.to_str()?)),
        _ => None,
    };
    let pairs: Option<Vec<_>> = args.chunks(2).map(pair).collect();
    pairs.ok_or_else(|| "a command takes flags with values alone".into())
}

fn texts<'a>(words: &'a [OsString], env: &'a [(String, String)]) -> impl Iterator<Item = &'a str> {
    let words = words.iter().filter_map(|word| word.to_str());
    words.chain(env.iter().map(|(_, value)| value.as_str()))
}

/// The flags that a text names, each with its placeholder.
fn flags_of(text: &str) -> Vec<(Capability, String)> {
    let flags = Capability::ALL.iter().filter(|flag| !NOT_NAMED.contains(flag));
    let named =
        flags.filter_map(|flag| Some((*flag, format!("{{{}}}", flag.word().strip_prefix("flag:--")?))));
    named.filter(|(_, place)| text.contains(place)).collect()
}

fn free_port() -> Result<u16, String> {
    port::free().map_err(|error| format!("failed to find a free port: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITNESS: &str = "127.0.0.1:9";

    fn words<const N: usize>(words: [&str; N]) -> Vec<OsString> {
        words.map(OsString::from).into()
    }

    #[test]
    fn a_commands_port_and_witness_are_filled_in_everywhere() {
        let given = words(["serve", "--bind=127.0.0.1:{port}", "{port}", "{witness}"]);
        let env = [("PORT".to_owned(), "{port}".to_owned())];
        let Filled { words: filled, env, port } = fill(&given, &env, &[], WITNESS.parse().unwrap()).unwrap();
        let port = port.expect("it names a port").to_string();
        assert_eq!(filled[1..], words([&format!("--bind=127.0.0.1:{port}"), &port, WITNESS]));
        assert_eq!(env, [("PORT".into(), port.into())]);
        let plain = Filled { words: words(["serve"]), env: vec![], port: None };
        assert_eq!(fill(&words(["serve"]), &[], &[], WITNESS.parse().unwrap()), Ok(plain));
    }

    #[test]
    fn a_flag_that_is_named_gets_its_value_and_without_one_its_word_is_left_out() {
        let given = words(["env", "DB={database}", "serve", "--reserve={reserve}", "{listen}"]);
        let env = [("NEXT".to_owned(), "http://{upstream}/".to_owned())];
        let named = [Capability::FlagUpstream, Capability::FlagDatabase, Capability::FlagReserve];
        assert_eq!(flags(&given, &env), named.into());
        let fill = |values: &[_]| fill(&given, &env, values, WITNESS.parse().unwrap()).unwrap();
        let all = fill(&[("--database", "postgres://x"), ("--reserve", "5ms"), ("--upstream", "h:1")]);
        assert_eq!(all.words, words(["env", "DB=postgres://x", "serve", "--reserve=5ms", "{listen}"]));
        assert_eq!(all.env, [("NEXT".into(), "http://h:1/".into())]);
        let none = fill(&[("--threads", "2")]);
        assert_eq!((none.words, none.env), (words(["env", "serve", "{listen}"]), vec![]));
    }

    #[test]
    fn arguments_are_pairs_of_a_flag_and_its_value() {
        let args = ["--database", "url", "--reserve", "5ms"].map(OsStr::new);
        assert_eq!(pairs(&args), Ok(vec![("--database", "url"), ("--reserve", "5ms")]));
        assert!(pairs(&args[..3]).is_err());
    }
}
