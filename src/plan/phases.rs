//! States that may be updated side by side.

use super::model::SweepModel;

/// What phases keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phasing {
    /// The order of neighbours: a state's phase is one more than the largest of the neighbours that come earlier in sweep order (its level). A sweep by levels computes what one in sweep
    /// order does.
    Levels,
    /// That neighbours differ, in as few phases as are easily found: a state takes the first phase that none of its earlier neighbours has (greedy colours), but a later one than its
    /// successors where these do not lead back to it. Two on a grid.
    Colours,
}

/// The phase of every state in sweep order, `[n_states]`. Neighbours, in either direction, have different ones.
#[must_use]
pub fn phases(model: &SweepModel, phasing: Phasing) -> Vec<u32> {
    deal(&earlier_neighbours(model), &stretches(model), phasing)
}

fn deal(earlier: &[Vec<u32>], stretch: &[u32], phasing: Phasing) -> Vec<u32> {
    let mut phase_of: Vec<u32> = Vec::with_capacity(earlier.len());
    for (row, earlier) in earlier.iter().enumerate() {
        let (before, beside): (Vec<u32>, Vec<u32>) = earlier
            .iter()
            .partition(|t| phasing == Phasing::Levels || stretch[**t as usize] < stretch[row]);
        let of = |t: &u32| phase_of[*t as usize];
        let mut phase = before.iter().map(|t| of(t) + 1).max().unwrap_or(0);
        let mut taken: Vec<u32> = beside.iter().map(of).collect();
        taken.sort_unstable();
        for other in taken {
            phase += u32::from(other == phase);
        }
        phase_of.push(phase);
    }
    phase_of
}

/// States, by their positions in sweep order, as a sweep by colours may visit them going once through the memory: every state after its neighbours of earlier colours and before those of
/// later ones, which is all that the values of such a sweep depend on, and otherwise near those that stand next to it.
pub(super) fn coloured_order(model: &SweepModel) -> Vec<u32> {
    let earlier = earlier_neighbours(model);
    let colour = deal(&earlier, &stretches(model), Phasing::Colours);
    // Layers: stretches of the sweep order without neighbours, the diagonals of a grid.
    let mut layer: Vec<u32> = Vec::with_capacity(earlier.len());
    let (mut number, mut begin) = (0, 0);
    for (row, earlier) in earlier.iter().enumerate() {
        if earlier.iter().any(|&t| t as usize >= begin) {
            (number, begin) = (number + 1, row);
        }
        layer.push(number);
    }
    let mut by_colour: Vec<u32> = (0..earlier.len() as u32).collect();
    by_colour.sort_by_key(|&s| colour[s as usize]);
    let mut neighbours = earlier.clone();
    for (row, earlier) in (0..).zip(&earlier) {
        for &t in earlier {
            neighbours[t as usize].push(row);
        }
    }
    // The layer that a state waits for: its own, or one that a neighbour of an earlier colour waits for.
    let mut due = layer;
    for &s in &by_colour {
        let mine = colour[s as usize];
        let first = neighbours[s as usize].iter().map(|&t| t as usize);
        let first = first.filter(|&t| colour[t] < mine).map(|t| due[t]).max();
        due[s as usize] = due[s as usize].max(first.unwrap_or(0));
    }
    by_colour.sort_by_key(|&s| (due[s as usize], colour[s as usize], s));
    by_colour
}

/// Per state, those that it leads to or that lead to it and come earlier in sweep order.
fn earlier_neighbours(model: &SweepModel) -> Vec<Vec<u32>> {
    let mut earlier = vec![Vec::new(); model.states().len()];
    for (row, state) in (0..).zip(model.states()) {
        for part in model.terms_of(state) {
            earlier[part.position.max(row) as usize].push(part.position.min(row));
        }
    }
    for list in &mut earlier {
        list.sort_unstable();
        list.dedup();
    }
    earlier
}

/// Where each state's stretch of the sweep order begins: between two stretches lies a state from which none later is reached, so that what comes later does not lead to them by way of these.
fn stretches(model: &SweepModel) -> Vec<u32> {
    let mut stretch = Vec::with_capacity(model.states().len());
    let (mut begin, mut furthest) = (0, 0);
    for (row, state) in (0..).zip(model.states()) {
        stretch.push(begin);
        let to = model.terms_of(state).map(|part| part.position);
        furthest = to.fold(furthest.max(row), u32::max);
        if furthest == row {
            begin = row + 1;
        }
    }
    stretch
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mdp::Mdp;
    use crate::mdp::families::{Family, Garnet, GridWorld};
    use crate::plan::Plan;
    use crate::units::Discount;

    fn grid(walls: f64) -> Mdp {
        let grid = GridWorld::noisy(6, 7, walls, 0.1);
        grid.generate(3).unwrap()
    }

    fn plan(mdp: &Mdp) -> Plan {
        Plan::draw(mdp, Discount::new(0.9).unwrap())
    }

    #[test]
    fn a_grid_has_two_colours() {
        let plan = plan(&grid(0.0));
        let colours = phases(plan.model(), Phasing::Colours);
        assert_eq!(colours.iter().max(), Some(&1));
        let levels = phases(plan.model(), Phasing::Levels);
        assert_eq!(levels.iter().max(), Some(&(6 + 7 - 2)));
    }

    /// Whether neighbours are visited in the order of their colours.
    fn keeps_colours(model: &SweepModel, order: &[u32]) -> bool {
        let colour = phases(model, Phasing::Colours);
        let mut visited = vec![0; order.len()];
        for (at, &s) in order.iter().enumerate() {
            visited[s as usize] = at;
        }
        (0..).zip(&earlier_neighbours(model)).all(|(s, earlier)| {
            earlier.iter().all(|&t: &u32| {
                let (s, t): (usize, usize) = (s, t as usize);
                (visited[s] < visited[t]) == (colour[s] < colour[t])
            })
        })
    }

    #[test]
    fn an_order_visits_every_state_once_and_neighbours_by_colour() {
        let garnet = Garnet {
            states: 60,
            choices: 2,
            branching: 3,
        };
        let garnet = Family::Garnet(garnet).generate(1).unwrap();
        for mdp in [grid(0.0), grid(0.2), garnet] {
            let plan = plan(&mdp);
            let model = plan.model();
            let order = coloured_order(model);
            let mut all = order.clone();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..mdp.n_states() as u32));
            assert!(keeps_colours(model, &order));
            // The control: the sweep order itself.
            let plain: Vec<u32> = (0..mdp.n_states() as u32).collect();
            assert!(!keeps_colours(model, &plain));
        }
    }

    #[test]
    fn an_order_goes_once_through_the_memory() {
        let plan = plan(&grid(0.0));
        let order = coloured_order(plan.model());
        let strays = (0..).zip(&order).map(|(at, s)| s.abs_diff(at));
        // Two diagonals.
        assert!(strays.max().unwrap() <= 2 * 6);
    }
}
