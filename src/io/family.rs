//! The family form: an MDP given by the recipe that generates it.

use crate::document::{Faults, Node, Spanned, TableReader};
use crate::mdp::Mdp;
use crate::mdp::families::Family;

/// Generates what `[family]` describes: `name`, the family's own keys, and `seed` (default 0).
///
/// The other keys of the file are read by the caller; there are none for states, choices or labels beside a family.
pub(super) fn read(node: &Spanned<Node>, name: String, faults: &mut Faults) -> Option<Mdp> {
    let mut table = TableReader::open(node, "[family]", faults)?;
    let given = table.require("name", faults).is_some();
    let family_name = given.then(|| table.string("name", faults)).flatten();
    let before = faults.errors().count();
    let seed = table.count("seed", faults).map_or(0, |seed| seed.value);
    let Some(family_name) = family_name else {
        // Nobody can say which keys a nameless family knows.
        table.rest();
        return None;
    };
    let family = Family::read(&family_name, &mut table, faults);
    table.finish(faults);
    if faults.errors().count() > before {
        return None;
    }
    match family?.generate(seed) {
        Ok(mdp) => Some(mdp.renamed(name)),
        Err(error) => {
            faults.error(node.span.clone(), error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::document::SourceText;
    use crate::io::{Format, parse_mdp};
    use crate::mdp::families::{Dense, Family};

    fn parse(text: &str) -> Result<crate::mdp::Mdp, String> {
        let read = parse_mdp(Format::Toml, SourceText::new("x.toml", text));
        read.map(|(mdp, _)| mdp)
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_recipe_is_the_mdp_it_generates() {
        let text = "name = 'w'\n[family]\nname = 'dense'\nstates = 5\nchoices = 2\nseed = 3\n";
        let dense = Family::Dense(Dense {
            states: 5,
            choices: 2,
        });
        let mdp = parse(text).unwrap();
        assert_eq!(mdp.name(), "w");
        assert_eq!(
            mdp.content_hash(),
            dense.generate(3).unwrap().content_hash()
        );
        assert_ne!(
            mdp.content_hash(),
            dense.generate(4).unwrap().content_hash()
        );
    }

    #[test]
    fn all_faults_of_a_recipe_are_found() {
        let texts = [
            "start = 's0'\n[family]\nname = 'dense'\nstates = 0\nseed = -1\ncolour = 1\n",
            "[family]\nstates = 3\n",
            "family = 'dense'\nstates = ['a']\n",
            "[family]\nname = 'gridworld'\nrows = 1\ncolumns = 1\nblocked = 'forbidden'\n",
        ];
        let reports = texts.map(|text| parse(text).unwrap_err());
        insta::assert_snapshot!(reports.join("\n\n"), @r#"
        x.toml:1:1: error: `start` and `family` in one file (help: a family says all that there is to say about its MDP)
        x.toml:2:1: error: [family] has no key `choices`
        x.toml:4:10: error: the family "dense": `states` must be between 1 and 16777216, this is 0
        x.toml:5:8: error: `seed` in [family] must be a whole number, 0 or more, this is -1
        x.toml:6:1: error: unknown key `colour` in [family] (help: known keys: name, seed, states, choices)

        x.toml:1:1: error: [family] has no key `name`

        x.toml:1:10: error: [family] must be a table, this is a string
        x.toml:2:1: error: `states` and `family` in one file (help: a family says all that there is to say about its MDP)

        x.toml:1:1: error: the family "gridworld" with seed 0: error: state "r0c0" has no choice (help: a terminal state is an absorbing one: give it a choice that leads back to itself)
        "#);
    }
}
