//! One letter for the start and for each label, shared by maps and pictures.

use crate::mdp::Mdp;
use crate::units::StateId;

use super::digits::plain_name;

/// Letters of states, and what they mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marks {
    of_state: Vec<Option<char>>,
    /// Letter and meaning, in the order of a legend.
    pub(super) legend: Vec<(char, String)>,
}

impl Marks {
    /// `S` marks start states, a lower-case letter each label: its own first letter where that is free.
    ///
    /// A state with several labels carries the letter of the rarest; a start state always carries `S`.
    pub(super) fn of(mdp: &Mdp) -> Self {
        let mut of_state = vec![None; mdp.n_states()];
        let mut legend = Vec::new();
        let mut taken = String::new();
        let mut labels: Vec<(&String, &Vec<StateId>)> = mdp.state_labels().iter().collect();
        // The commonest first: rarer letters are written over it.
        labels.sort_by_key(|(_, members)| std::cmp::Reverse(members.len()));
        for (label, members) in labels {
            let Some(letter) = free_letter(label, &taken) else {
                break;
            };
            taken.push(letter);
            for s in members {
                of_state[s.index()] = Some(letter);
            }
            legend.push((letter, plain_name(label, 24)));
        }
        for (s, _) in mdp.start() {
            of_state[s.index()] = Some('S');
        }
        legend.push(('S', "start".to_owned()));
        legend.reverse();
        Self { of_state, legend }
    }

    /// The letter of a state.
    pub(super) fn letter(&self, state: StateId) -> Option<char> {
        self.of_state[state.index()]
    }
}

/// A lower-case letter that is not taken: the first of the label's own letters, else the first of the alphabet.
fn free_letter(label: &str, taken: &str) -> Option<char> {
    let own = label.chars().map(|c| c.to_ascii_lowercase());
    own.chain('a'..='z')
        .find(|c| c.is_ascii_lowercase() && !taken.contains(*c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::MdpBuilder;

    #[test]
    fn labels_get_their_own_letters_and_the_start_wins() {
        let mut b = MdpBuilder::new("marks");
        let [s, off, gold] = ["s", "off", "gold"].map(|n| b.state(n));
        b.choice(s, "go", [(off, 0.5), (gold, 0.5)]);
        b.absorbing(off);
        b.absorbing(gold);
        b.start(s);
        b.label("off", vec![off]);
        b.label("objects", vec![s, gold, off]);
        let marks = Marks::of(&b.build().unwrap());
        let letters: Vec<_> = [s, off, gold].map(|x| marks.letter(x).unwrap()).into();
        assert_eq!(letters, ['S', 'f', 'o']);
        let legend: String = marks
            .legend
            .iter()
            .map(|(c, l)| format!("{c}={l} "))
            .collect();
        assert_eq!(legend, "S=start f=off o=objects ");
    }
}
