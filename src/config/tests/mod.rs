//! Tests of the configuration as a whole: sources in order, mistakes, documents.

use super::*;

mod documents;
mod mistakes;
mod precedence;

fn variables<const N: usize>(variables: [(&str, &str); N]) -> Environment {
    Environment::new(variables)
}

fn file(path: &str, text: &str) -> FileText {
    FileText { path: path.to_owned(), text: text.to_owned() }
}

/// Resolves and shows what is wrong, one line a message and a hint.
fn complaints(sources: &Sources<'_>) -> String {
    let mut text = String::new();
    for problem in Config::resolve(sources).unwrap_err().problems {
        text.push_str(&format!("error: {}\n", problem.message));
        if let Some(hint) = problem.hint {
            text.push_str(&format!("hint: {hint}\n"));
        }
    }
    text
}
