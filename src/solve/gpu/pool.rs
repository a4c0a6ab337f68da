//! Memory of the groups of goals in flight: made when it is first needed, used again, and never more than there is room for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::workspace::Workspace;
use crate::solve::SolveError;

/// Memory that the groups in flight may take together.
const WORKSPACE_BYTES: u64 = 2 << 30;

/// Most groups in flight: enough that the device never waits for the host.
const MAX_WORKSPACES: u64 = 16;

/// Workspaces that are not in use, and how many more may be made.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Debug)]
struct PoolState {
    idle: Vec<Workspace>,
    left: u64,
}

impl Pool {
    /// Room for groups of this many bytes.
    pub(super) fn new(block_bytes: u64) -> Self {
        let left = (WORKSPACE_BYTES / block_bytes.max(1)).clamp(1, MAX_WORKSPACES);
        Self {
            state: Mutex::new(PoolState {
                idle: Vec::new(),
                left,
            }),
            returned: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives idle workspaces back to the device.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.left += state.idle.len() as u64;
        state.idle.clear();
    }

    /// Runs `work` with a workspace for `tiles` tiles, which `make` makes where none is idle; waits while too many are in use.
    pub(super) fn with<T>(
        &self,
        tiles: u32,
        make: impl FnOnce() -> Result<Workspace, SolveError>,
        work: impl FnOnce(&Workspace) -> Result<T, SolveError>,
    ) -> Result<T, SolveError> {
        let mut state = self.state();
        let found = loop {
            if let Some(at) = state.idle.iter().position(|w| w.tiles() >= tiles) {
                break Some(state.idle.swap_remove(at));
            }
            if state.left > 0 {
                state.left -= 1;
                break None;
            }
            // An idle one that is too small makes room.
            if state.idle.pop().is_none() {
                state = self
                    .returned
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                state.left += 1;
            }
        };
        drop(state);
        let workspace = found.map_or_else(make, Ok);
        let result =
            workspace.and_then(|workspace| work(&workspace).map(|result| (result, workspace)));
        let mut state = self.state();
        let result = match result {
            Ok((result, workspace)) => {
                state.idle.push(workspace);
                Ok(result)
            }
            // What an error left behind is not used again.
            Err(error) => {
                state.left += 1;
                Err(error)
            }
        };
        drop(state);
        self.returned.notify_all();
        result
    }
}
