//! POWERplay's MDP graphs in Graphviz's language.
//!
//! A stochastic graph has three kinds of nodes, `[state]`, `[action]__[state]` and `[successor]__[action]__[state]`; the edge into the last one
//! carries the probability as `weight`. A graph without weights is deterministic: an edge is a choice, called after the state that
//! it leads to. What is read of the language is what pydot and NetworkX write: nodes, edges and attributes, no subgraphs.

mod dot;
mod write;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Limited, stem};
use crate::document::{Faults, SourceText, Span};
use crate::mdp::{Mdp, MdpBuilder, RawChoice};
use crate::units::StateId;
use dot::{Edge, Graph};

pub(super) use write::write;
pub use write::write_graphviz;

/// Reads an MDP from a text.
///
/// ```
/// use powersweep::document::SourceText;
/// use powersweep::io::parse_graphviz;
///
/// let source = SourceText::new("pair.gv", r#"digraph { "a" -> "b"; "b" -> "a"; "b" -> "b"; }"#);
/// let (mdp, _) = parse_graphviz(source).unwrap();
/// assert_eq!((mdp.n_states(), mdp.n_choices()), (2, 3));
/// ```
///
/// # Errors
///
/// All faults of the text; after a fault of syntax that one alone.
pub fn parse_graphviz(source: Arc<SourceText>) -> Result<(Mdp, Faults), Faults> {
    let mut faults = Faults::about(source.clone());
    let Some(graph) = dot::parse(&source.text, &mut faults) else {
        return Err(faults);
    };
    let mut builder = MdpBuilder::with_faults(stem(&source.name), faults);
    match graph.edges.iter().any(|edge| edge.weight.is_some()) {
        true => Stochastic::default().read(&graph, &mut builder),
        false => deterministic(&graph, &mut builder),
    }
    let mut read = builder.build_with_warnings();
    let (Ok((_, faults)) | Err(faults)) = &mut read;
    faults.sort_by_place();
    read
}

/// Every node is a state, every edge a choice.
fn deterministic(graph: &Graph, builder: &mut MdpBuilder) {
    let numbers: HashMap<&str, usize> = graph
        .nodes
        .iter()
        .enumerate()
        .map(|(i, (name, _))| (name.as_str(), i))
        .collect();
    for (name, span) in &graph.nodes {
        builder.state_at(name, Some(span.clone()));
    }
    let mut met = HashSet::new();
    for edge in &graph.edges {
        let (from, to) = (numbers[edge.from.as_str()], numbers[edge.to.as_str()]);
        // An edge given twice is one edge.
        if met.insert((from, to)) {
            builder.raw_choice(RawChoice {
                state: StateId(from as u32),
                action: edge.to.clone(),
                to: vec![(StateId(to as u32), 1.0)],
                span: Some(edge.span.clone()),
            });
        }
    }
}

/// `[a]__[b]` as `["a", "b"]`; `None` for a node of another form.
fn parts(node: &str) -> Option<Vec<&str>> {
    let inner = node.strip_prefix('[')?.strip_suffix(']')?;
    Some(inner.split("]__[").collect())
}

#[derive(Default)]
struct Stochastic {
    bad: Limited,
    /// Number of a (state, action) pair among `choices`.
    numbers: HashMap<(String, String), usize>,
    choices: Vec<RawChoice>,
}

impl Stochastic {
    fn read(mut self, graph: &Graph, builder: &mut MdpBuilder) {
        for (node, span) in &graph.nodes {
            match parts(node).as_deref() {
                Some([state]) => {
                    builder.state_at(*state, Some(span.clone()));
                }
                Some([_, _] | [_, _, _]) => {}
                _ => self.bad.error_with_help(
                    builder.faults(),
                    span.clone(),
                    format!("the node {node:?} is none of [state], [action]__[state] and [successor]__[action]__[state]"),
                    "edges with weights are for POWERplay's stochastic graphs; without weights every node is a state",
                ),
            }
        }
        for edge in &graph.edges {
            self.edge(edge, builder);
        }
        self.bad
            .finish(builder.faults(), "nodes and edges that are wrong");
        self.choices
            .into_iter()
            .for_each(|choice| builder.raw_choice(choice));
    }

    fn edge(&mut self, edge: &Edge, builder: &mut MdpBuilder) {
        let (from, to) = (parts(&edge.from), parts(&edge.to));
        let place = format!("the edge from {:?} to {:?}", edge.from, edge.to);
        let problem = match (from.as_deref(), to.as_deref(), edge.weight) {
            (Some([state]), Some([action, of]), None) if state == of => {
                return self.choice(state, action, edge, builder);
            }
            (Some([action, state]), Some([to, of_action, of]), Some(p))
                if (action, state) == (of_action, of) =>
            {
                return self.successor((state, action, to), p, edge, builder);
            }
            (Some([_]), Some([_, _]), Some(_)) => "has a weight: this is a policy, not an MDP",
            (Some([_, _]), Some([_, _, _]), None) => {
                "has no weight: the probability of the successor"
            }
            // Nodes of other forms have been told.
            (None, _, _) | (_, None, _) => return,
            _ => {
                "neither leads from a state to one of its actions nor from an action to one of its successors"
            }
        };
        self.bad.error(
            builder.faults(),
            edge.span.clone(),
            format!("{place} {problem}"),
        );
    }

    fn choice(&mut self, state: &str, action: &str, edge: &Edge, builder: &mut MdpBuilder) {
        if self
            .numbers
            .contains_key(&(state.to_owned(), action.to_owned()))
        {
            return;
        }
        if let Some(id) = builder.resolve(state, "edge", Some(edge.span.clone())) {
            self.numbers
                .insert((state.to_owned(), action.to_owned()), self.choices.len());
            self.choices.push(RawChoice {
                state: id,
                action: action.to_owned(),
                to: Vec::new(),
                span: Some(edge.span.clone()),
            });
        }
    }

    fn successor(
        &mut self,
        (state, action, to): (&str, &str, &str),
        p: f64,
        edge: &Edge,
        builder: &mut MdpBuilder,
    ) {
        self.choice(state, action, edge, builder);
        let Some(&number) = self.numbers.get(&(state.to_owned(), action.to_owned())) else {
            return;
        };
        if let Some(id) = builder.resolve(to, "edge", Some(edge.span.clone())) {
            // POWERplay draws edges of probability 0 as well.
            if p != 0.0 {
                self.choices[number].to.push((id, p));
            }
        }
    }
}

/// Where a node or an edge stands.
type Place = Span;
