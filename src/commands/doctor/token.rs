//! The token that programs on this machine would use. It is looked into, and never shown.

use std::time::Duration;

use super::finding::Finding;
use crate::client::Claims;
use crate::client::figures::time;

/// A token that ends sooner than this is told, so that nothing stops in the middle of an experiment.
const SOON: Duration = Duration::from_secs(2 * 86_400);

/// What is known of a token.
#[derive(Debug)]
pub struct Token<'a> {
    /// Where it is from.
    pub source: &'a str,
    /// None if it is no JWT.
    pub claims: Option<Claims>,
    /// It is signed with the published key.
    pub development: bool,
    /// The store takes it.
    pub accepted: bool,
}

/// What to think of a token at this time since 1970.
pub fn judge(token: &Token, now: Duration, log_in: &str) -> Finding {
    let left = token.claims.as_ref().and_then(|claims| claims.exp);
    // In seconds; negative once it is over.
    let left = left.map(|end| end - now.as_secs_f64());
    let whose = token.claims.as_ref().and_then(|claims| claims.sub.as_deref());
    let whose = whose.map_or(String::new(), |user| format!(" of {user}"));
    let token_is = format!("the token{whose} {}", token.source);
    let span = |seconds: f64| time(Duration::try_from_secs_f64(seconds.abs()).unwrap_or(Duration::MAX));
    if !token.accepted {
        let ahead = token.claims.as_ref().and_then(|claims| claims.nbf);
        let ahead = ahead
            .map(|begin| begin - now.as_secs_f64())
            .filter(|ahead| *ahead > 0.0);
        let cause = match (left, ahead, token.development) {
            _ if token.claims.is_none() => "it is no token of a store".to_string(),
            (_, Some(ahead), _) => format!("it is not good yet, for another {}", span(ahead)),
            (Some(left), ..) if left < 0.0 => format!("it expired {} ago", span(left)),
            (.., true) => "it is signed with the published development key, which this store does not take".to_string(),
            _ => "it was signed by another store, or the store's key has changed".to_string(),
        };
        return Finding::wrong(format!("{token_is} is refused: {cause}")).mend(log_in);
    }
    let key = match token.development {
        true => ", signed with the published development key",
        false => "",
    };
    match left {
        Some(left) if left < 0.0 => Finding::warning(format!(
            "{token_is} is accepted{key}, but expired {} ago: only development mode takes it",
            span(left)
        ))
        .mend(log_in),
        Some(left) if left < SOON.as_secs_f64() => {
            Finding::warning(format!("{token_is} is accepted{key}, and expires in {}", span(left))).mend(log_in)
        }
        Some(left) => Finding::ok(format!("{token_is} is accepted{key}, for {} more", span(left))),
        None => Finding::ok(format!("{token_is} is accepted{key}, and never expires")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Verdict;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: Duration = Duration::from_secs(1_700_000_000);

    fn token(claims: &serde_json::Value) -> String {
        format!("e30.{}.c2lnbmF0dXJl", URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn judged(claims: &serde_json::Value, development: bool, accepted: bool) -> Finding {
        let token = Token {
            source: "in the login file",
            claims: Claims::read(&token(claims)),
            development,
            accepted,
        };
        judge(&token, NOW, "ptg-store login")
    }

    #[track_caller]
    fn assert_found(finding: &Finding, verdict: Verdict, words: &str) {
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        assert!(finding.found.contains(words), "no {words:?}: {finding:?}");
        let mend = !matches!(verdict, Verdict::Ok);
        assert_eq!(
            finding.commands().any(|command| command == "ptg-store login"),
            mend,
            "{finding:?}"
        );
    }

    #[test]
    fn a_token_that_is_taken_is_fine_unless_it_ends_soon() {
        let until = |seconds: f64| json!({ "sub": "ada", "exp": NOW.as_secs_f64() + seconds });
        assert_found(
            &judged(&until(30.0 * 86_400.0), false, true),
            Verdict::Ok,
            "of ada in the login file is accepted, for 30 days more",
        );
        assert_found(
            &judged(&json!({ "sub": "ada" }), false, true),
            Verdict::Ok,
            "never expires",
        );
        assert_found(
            &judged(&until(3_600.5), false, true),
            Verdict::Warning,
            "expires in 60.0 min",
        );
        assert_found(
            &judged(&until(-7_200.0), true, true),
            Verdict::Warning,
            "expired 2.0 h ago",
        );
        assert_found(&judged(&until(1e300), false, true), Verdict::Ok, "more");
        assert_found(
            &judged(&until(1e6), true, true),
            Verdict::Ok,
            "published development key",
        );
    }

    #[test]
    fn a_token_that_is_refused_is_told_why() {
        let until = |seconds: f64| json!({ "sub": "ada", "exp": NOW.as_secs_f64() + seconds });
        assert_found(
            &judged(&until(-60.0), false, false),
            Verdict::Wrong,
            "expired 60.0 s ago",
        );
        assert_found(
            &judged(&until(60.0), true, false),
            Verdict::Wrong,
            "published development key",
        );
        assert_found(&judged(&until(60.0), false, false), Verdict::Wrong, "another store");
        assert_found(&judged(&json!(7), false, false), Verdict::Wrong, "no token of a store");
    }

    proptest! {
        #[test]
        fn no_token_makes_the_judge_panic(text in ".*", exp in any::<f64>(), accepted in any::<bool>()) {
            Claims::read(&text);
            judged(&json!({ "sub": text, "exp": exp }), false, accepted);
        }
    }
}
