//! powersweep measures instrumental convergence.
//!
//! Given one finite Markov decision process (MDP) and a distribution over goals (reward vectors), it solves millions of sampled
//! goals on the one shared transition structure and reports what optimal behaviour has in common across them: the
//! POWER of every state (Turner et al. 2021),
//! `POWER(s) = (1 - gamma)/gamma E[V*(s) - R(s)]`.
//!
//! Every estimate carries two widths that are kept apart: a confidence interval, and a numerical bound certified goal by
//! goal from Bellman residuals. Goal `i` is a pure function of (seed, `i`), and results are the same bytes for any number
//! of threads.
//!
//! ```
//! use powersweep::experiment::{BackendChoice, Engine, RunSpec};
//! use powersweep::mdp::MdpBuilder;
//!
//! // A robot that can work, or be switched off for good.
//! let mut builder = MdpBuilder::new("off switch");
//! let [work, rest, off] = ["work", "rest", "off"].map(|name| builder.state(name));
//! builder.choice(work, "rest", [(rest, 1.0)]);
//! builder.choice(work, "be switched off", [(off, 1.0)]);
//! builder.choice(rest, "work", [(work, 0.9), (rest, 0.1)]);
//! builder.choice(rest, "stay", [(rest, 1.0)]);
//! builder.absorbing(off);
//! builder.start(work);
//! let mdp = builder.build()?;
//!
//! let engine = Engine::new(BackendChoice::Auto)?;
//! let robot = engine.upload(mdp);
//! let spec = RunSpec { samples: 20_000, ..RunSpec::default() };
//! let statistics = engine.run(&spec.environment(&robot).discount(0.9)?)?;
//!
//! assert!(statistics.is_complete(), "a goal missed its tolerance, or a cell failed");
//! let power = &statistics.cells[0].power;
//! let [work, off] = [&power[work.index()], &power[off.index()]];
//! assert!(work.low > off.high, "for most goals it is better not to be off");
//! println!("POWER of work: {:.3} [{:.3}, {:.3}]", work.estimate, work.low, work.high);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The rooms, each importing only from those before it: [`units`], [`document`] (text files that remember where
//! everything stood), [`mdp`] and [`rng`], [`reward`], [`program`], [`intervention`], [`plan`], [`statistics`], [`solve`] (the backends), [`io`],
//! [`experiment`] (the [`Engine`](experiment::Engine) and the experiment file), [`report`]. The library never prints, never exits and
//! installs no global thread pool.
#![warn(missing_docs)]

pub mod document;
pub mod experiment;
pub mod intervention;
pub mod io;
pub mod mdp;
pub mod plan;
pub mod program;
pub mod report;
pub mod reward;
pub mod rng;
pub mod solve;
pub mod statistics;
pub mod units;

pub use units::{ChoiceId, Discount, DiscountError, Limit, SampleIndex, Seed, StateId};
