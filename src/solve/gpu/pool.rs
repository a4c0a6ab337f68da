//! Memory of the groups of goals in flight: made when it is first needed, used again, and never more than there is room for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::workspace::Workspace;
use crate::solve::SolveError;

/// Memory that the groups of a cell may take together, on their way or kept for the next ones.
pub(super) const WORKSPACE_BYTES: u64 = 2 << 30;

/// Most groups in flight: enough that the device never waits for the host.
pub(super) const MAX_WORKSPACES: u64 = 16;

/// Workspaces that are not in use, and how many more may be made.
#[derive(Debug)]
pub(super) struct Pool {
    state: Mutex<PoolState>,
    returned: Condvar,
}

#[derive(Debug)]
struct PoolState {
    idle: Vec<Kept>,
    /// Workspaces that may still be made, and bytes that they may take.
    left: (u64, u64),
}

#[derive(Debug)]
struct Kept {
    workspace: Workspace,
    bytes: u64,
}

impl PoolState {
    /// Gives the room of a workspace that is no more.
    fn give_back(&mut self, bytes: u64) {
        self.left = (self.left.0 + 1, self.left.1 + bytes);
    }

    /// Whether there is room for another one. The only one may be as large as it is.
    fn has_room(&self, bytes: u64) -> bool {
        let (count, left) = self.left;
        count == MAX_WORKSPACES || (count > 0 && left >= bytes)
    }
}

impl Pool {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(PoolState {
                idle: Vec::new(),
                left: (MAX_WORKSPACES, WORKSPACE_BYTES),
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
        while let Some(kept) = state.idle.pop() {
            state.give_back(kept.bytes);
        }
    }

    /// Runs `work` with a workspace of such a size, tiles and blocks, which `make` makes of so many bytes where none is idle; waits while too many are in use.
    pub(super) fn with<T>(
        &self,
        size: (u32, u32),
        bytes: u64,
        make: impl FnOnce() -> Result<Workspace, SolveError>,
        work: impl FnOnce(&Workspace) -> Result<T, SolveError>,
    ) -> Result<T, SolveError> {
        let bytes = bytes.min(WORKSPACE_BYTES);
        let mut state = self.state();
        let found = loop {
            let fitting = state.idle.iter().position(|k| k.workspace.has_room(size));
            if let Some(at) = fitting {
                break Some(state.idle.swap_remove(at));
            }
            if state.has_room(bytes) {
                state.left = (state.left.0 - 1, state.left.1.saturating_sub(bytes));
                break None;
            }
            // An idle one that is too small makes room.
            match state.idle.pop() {
                Some(kept) => state.give_back(kept.bytes),
                None => {
                    state = self
                        .returned
                        .wait(state)
                        .unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        drop(state);
        let bytes = found.as_ref().map_or(bytes, |kept| kept.bytes);
        let workspace = found.map_or_else(make, |kept| Ok(kept.workspace));
        let result =
            workspace.and_then(|workspace| work(&workspace).map(|result| (result, workspace)));
        let mut state = self.state();
        let result = match result {
            Ok((result, workspace)) => {
                state.idle.push(Kept { workspace, bytes });
                Ok(result)
            }
            // What an error left behind is not used again.
            Err(error) => {
                state.give_back(bytes);
                Err(error)
            }
        };
        drop(state);
        self.returned.notify_all();
        result
    }
}
