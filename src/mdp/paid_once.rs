//! Terminal states that pay once.

use super::{BaseState, ChoiceCoordinate, Mdp};
use crate::units::StateId;

/// Name of the state that follows a terminal state which pays once.
const VOID: &str = "void";

impl Mdp {
    /// The same MDP, but the listed states lead to one more state, `void` (with a number where that name is taken), which is
    /// absorbing, stands for no state of the original and has no reward coordinate. It comes last; all other ids stay.
    ///
    /// # Panics
    ///
    /// If a listed state is not absorbing.
    #[must_use]
    pub fn paid_once(&self, terminal: &[u32]) -> Self {
        let void = self.n_states() as u32;
        let mut mdp = self.clone();
        for &state in terminal {
            assert!(
                self.is_absorbing(StateId(state)),
                "only terminal states pay once"
            );
            for choice in self.choices(StateId(state)) {
                // An absorbing row has one successor.
                mdp.successors[self.successor_ptr[choice.index()] as usize] = void;
            }
        }
        let taken = |name: &str| self.state_names.iter().any(|n| n == name);
        let numbered = (2..).map(|i| format!("{VOID} {i}"));
        let name = std::iter::once(VOID.to_owned())
            .chain(numbered)
            .find(|name| !taken(name));
        mdp.state_names
            .push(name.expect("there are more numbers than states"));
        let action = match mdp.action_names.iter().position(|a| a == "stay") {
            Some(at) => at,
            None => {
                mdp.action_names.push("stay".to_owned());
                mdp.action_names.len() - 1
            }
        };
        mdp.choice_action.push(action as u32);
        mdp.choice_ptr.push(mdp.choice_action.len() as u32);
        mdp.successors.push(void);
        mdp.probabilities.push(1.0);
        mdp.successor_ptr.push(mdp.successors.len() as u32);
        mdp.reward_coordinate.push(None);
        if let Some(coordinates) = &mut mdp.choice_coordinate {
            coordinates.push(ChoiceCoordinate::New(u32::MAX));
        }
        mdp.base_state.push(BaseState::New);
        mdp
    }
}

#[cfg(test)]
mod tests {
    use crate::mdp::MdpBuilder;
    use crate::units::{ChoiceId, StateId};

    #[test]
    fn a_terminal_state_leads_on_and_everything_else_stays() {
        let mut b = MdpBuilder::new("fork");
        let [start, off, void] = ["start", "off", "void"].map(|n| b.state(n));
        b.choice(start, "shutdown", [(off, 1.0)]);
        b.choice(start, "go on", [(void, 1.0)]);
        b.absorbing(off);
        b.absorbing(void);
        let mdp = b.build().unwrap();
        let paid = mdp.paid_once(&[off.0]);
        assert_eq!(paid.state_name(StateId(3)), "void 2");
        assert!(
            paid.is_absorbing(StateId(3)) && paid.is_absorbing(void) && !paid.is_absorbing(off)
        );
        assert_eq!(paid.row(ChoiceId(2)), (&[3][..], &[1.0][..]));
        for choice in [0, 1, 3] {
            assert_eq!(paid.row(ChoiceId(choice)), mdp.row(ChoiceId(choice)));
        }
        assert_eq!(paid.reward_coordinate(), [Some(0), Some(1), Some(2), None]);
        assert_eq!(paid.start(), mdp.start());
    }
}
