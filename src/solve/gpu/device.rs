//! An opened adapter: buffers, submissions, and every error as a value.
//!
//! The driver's errors come by four ways: error scopes, the uncaptured-error handler, the device-lost callback, and a wait
//! that does not end. All of them end in [`SolveError::Device`] with the adapter's name.

use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use super::adapter::{AdapterSummary, GpuError};
use crate::solve::{DeviceFault, SolveError};

/// Longest wait for one submission. The work of a submission is measured to be a fraction of a second; a device that needs this long
/// hangs.
const TIMEOUT: Duration = Duration::from_secs(300);

/// Storage buffers that the largest shader binds.
const STORAGE_BUFFERS: u32 = 9;

/// What has gone wrong for good: the first message is kept.
type Trouble = Arc<Mutex<Option<(DeviceFault, String)>>>;

/// An opened adapter. Shared by all threads.
#[derive(Debug)]
pub(super) struct Device {
    summary: AdapterSummary,
    device: wgpu::Device,
    queue: wgpu::Queue,
    limits: wgpu::Limits,
    trouble: Trouble,
}

impl Device {
    /// Asks for everything the adapter has.
    pub(super) fn open(summary: AdapterSummary, adapter: &wgpu::Adapter) -> Result<Self, GpuError> {
        let unusable = |problem: String| GpuError::Unusable {
            adapter: summary.to_string(),
            problem,
        };
        let limits = adapter.limits();
        let buffers = limits.max_storage_buffers_per_shader_stage;
        if buffers < STORAGE_BUFFERS {
            return Err(unusable(format!(
                "its shaders see at most {buffers} storage buffers, {STORAGE_BUFFERS} are needed"
            )));
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("powersweep"),
            required_features: adapter.features() & wgpu::Features::SHADER_INT64,
            required_limits: limits.clone(),
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = pollster::block_on(adapter.request_device(&descriptor));
        let (device, queue) = opened.map_err(|error| unusable(error.to_string()))?;
        let trouble = Trouble::default();
        let kept = trouble.clone();
        device.set_device_lost_callback(move |reason, message| {
            note(&kept, DeviceFault::Lost, format!("{reason:?}: {message}"));
        });
        let kept = trouble.clone();
        device.on_uncaptured_error(Arc::new(move |error| {
            let (fault, message) = describe(&error);
            note(&kept, fault, message);
        }));
        Ok(Self {
            summary,
            device,
            queue,
            limits,
            trouble,
        })
    }

    /// What it is.
    pub(super) fn summary(&self) -> &AdapterSummary {
        &self.summary
    }

    /// What it can do.
    pub(super) fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// An error of this adapter.
    pub(super) fn error(&self, fault: DeviceFault, problem: impl Into<String>) -> SolveError {
        SolveError::Device {
            adapter: self.summary.to_string(),
            fault,
            problem: problem.into(),
        }
    }

    /// What has gone wrong for good, if anything has.
    pub(super) fn check(&self) -> Result<(), SolveError> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        match &*trouble {
            Some((fault, message)) => Err(self.error(*fault, message.clone())),
            None => Ok(()),
        }
    }

    /// Runs `work`, and turns whatever the driver has to say about it into an error. `what` begins the message.
    pub(super) fn guarded<T>(
        &self,
        what: &str,
        work: impl FnOnce(&wgpu::Device) -> T,
    ) -> Result<T, SolveError> {
        let filters = [
            wgpu::ErrorFilter::Validation,
            wgpu::ErrorFilter::OutOfMemory,
            wgpu::ErrorFilter::Internal,
        ];
        let mut scopes: Vec<_> = filters
            .map(|filter| self.device.push_error_scope(filter))
            .into();
        let result = work(&self.device);
        let mut caught = None;
        while let Some(scope) = scopes.pop() {
            caught = pollster::block_on(scope.pop()).or(caught);
        }
        if let Some(error) = caught {
            let (fault, message) = describe(&error);
            return Err(self.error(fault, format!("{what}: {message}")));
        }
        self.check()?;
        Ok(result)
    }

    /// A buffer of `bytes`, zeroed.
    pub(super) fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, SolveError> {
        let limit = match usage.contains(wgpu::BufferUsages::STORAGE) {
            true => self
                .limits
                .max_storage_buffer_binding_size
                .min(self.limits.max_buffer_size),
            false => self.limits.max_buffer_size,
        };
        let problem = format!("the {label} need {bytes} bytes in one buffer");
        if bytes > limit {
            let problem = format!("{problem}, its limit is {limit}");
            return Err(self.error(DeviceFault::OutOfMemory, problem));
        }
        // No empty bindings; copies are in whole words.
        let size = bytes.next_multiple_of(4).max(16);
        let descriptor = wgpu::BufferDescriptor {
            label: Some(label),
            size,
            usage,
            mapped_at_creation: false,
        };
        self.guarded(&problem, |device| device.create_buffer(&descriptor))
    }

    /// A buffer that holds `data` for good; of nothing, one with room for an element, which shaders ask for.
    pub(super) fn upload<T: bytemuck::Pod>(
        &self,
        label: &str,
        data: &[T],
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer, SolveError> {
        let buffer = self.buffer(
            label,
            size_of_val(data).max(size_of::<T>()) as u64,
            usage | wgpu::BufferUsages::COPY_DST,
        )?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// Writes into a buffer before the next submission runs.
    pub(super) fn write<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        offset: u64,
        data: &[T],
    ) -> Result<(), SolveError> {
        self.guarded("uploading", |_| {
            self.queue
                .write_buffer(buffer, offset, bytemuck::cast_slice(data))
        })
    }

    /// Records commands, submits them and waits for their end.
    pub(super) fn run(
        &self,
        what: &str,
        record: impl FnOnce(&mut wgpu::CommandEncoder),
    ) -> Result<(), SolveError> {
        let submission = self.guarded(what, |device| {
            let mut encoder = device
                .create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some(what) });
            record(&mut encoder);
            self.queue.submit([encoder.finish()])
        })?;
        let wait = wgpu::PollType::Wait {
            submission_index: Some(submission),
            timeout: Some(TIMEOUT),
        };
        self.guarded(what, |device| device.poll(wait))?
            .map_err(|error| match error {
                wgpu::PollError::Timeout => self.error(
                    DeviceFault::Timeout,
                    format!("{what}: no answer within {} s", TIMEOUT.as_secs()),
                ),
                other => self.error(DeviceFault::Internal, format!("{what}: {other}")),
            })?;
        self.check()
    }

    /// Gives the device up, as a driver's reset would.
    #[cfg(test)]
    pub(super) fn lose(&self) {
        self.device.destroy();
    }

    /// Reads a buffer that can be mapped. The submission that wrote it has ended.
    pub(super) fn read<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        bytes: u64,
    ) -> Result<Vec<T>, SolveError> {
        let (tell, told) = mpsc::channel();
        self.guarded("reading back", |device| {
            buffer.map_async(wgpu::MapMode::Read, 0..bytes, move |result| {
                // Nobody listens any more once the wait was given up.
                let _ = tell.send(result);
            });
            device.poll(wgpu::PollType::Poll)
        })?
        .map_err(|error| self.error(DeviceFault::Internal, format!("reading back: {error}")))?;
        // The submission that wrote the buffer has ended, and there is nothing to wait for but another thread that polls: it
        // may be the one that calls back.
        match told.recv_timeout(TIMEOUT) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                return Err(self.error(DeviceFault::Internal, format!("reading back: {error}")));
            }
            Err(_) => return Err(self.error(DeviceFault::Timeout, "reading back: no answer")),
        }
        let data = self.guarded("reading back", |_| {
            let view = buffer.get_mapped_range(0..bytes);
            view.map(|view| bytemuck::pod_collect_to_vec(&view))
        })?;
        buffer.unmap();
        data.map_err(|error| self.error(DeviceFault::Internal, format!("reading back: {error}")))
    }
}

fn note(trouble: &Trouble, fault: DeviceFault, message: String) {
    let mut kept = trouble.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get_or_insert((fault, message));
}

fn describe(error: &wgpu::Error) -> (DeviceFault, String) {
    match error {
        wgpu::Error::OutOfMemory { .. } => (DeviceFault::OutOfMemory, "out of memory".to_owned()),
        wgpu::Error::Validation { description, .. } => {
            (DeviceFault::Validation, description.clone())
        }
        wgpu::Error::Internal { description, .. } => (DeviceFault::Internal, description.clone()),
    }
}
