//! The shaders, composed and checked by build.rs, and pipelines made of them: bindings are found by name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::device::Device;
use crate::solve::SolveError;

include!(concat!(env!("OUT_DIR"), "/shaders.rs"));

/// One composed shader.
#[derive(Debug)]
pub(super) struct ShaderModule {
    pub(super) name: &'static str,
    pub(super) entry: &'static str,
    pub(super) source: &'static str,
    pub(super) bindings: &'static [Binding],
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test of layouts"))]
    pub(super) structs: &'static [StructLayout],
}

/// A global variable that the host binds.
#[derive(Debug)]
pub(super) struct Binding {
    pub(super) name: &'static str,
    pub(super) group: u32,
    pub(super) number: u32,
    pub(super) kind: BindingKind,
}

/// How a shader uses a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BindingKind {
    Uniform,
    Read,
    ReadWrite,
}

/// Offsets that naga computed.
#[derive(Debug)]
#[cfg_attr(not(test), expect(dead_code, reason = "read by the test of layouts"))]
pub(super) struct StructLayout {
    pub(super) name: &'static str,
    pub(super) size: u32,
    pub(super) members: &'static [(&'static str, u32)],
}

/// The uniform that changes from dispatch to dispatch: bound in a group of its own, at an offset.
const JOB: &str = "job";

/// Values of a shader's `override` constants.
type Constants<'a> = &'a [(&'static str, f64)];

/// Every shader by its name, and what was compiled of them for one device.
#[derive(Debug)]
pub(super) struct Library {
    modules: Vec<&'static ShaderModule>,
    compiled: Mutex<HashMap<String, Arc<Pipeline>>>,
    /// By their text: kept as long as a cell uses them.
    written: Mutex<HashMap<String, Weak<Pipeline>>>,
}

impl Library {
    pub(super) fn new() -> Self {
        Self {
            modules: MODULES.iter().collect(),
            compiled: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// The same with another module in the place of the one of its name.
    #[cfg(test)]
    pub(super) fn with(mut self, module: &'static ShaderModule) -> Self {
        self.modules.retain(|m| m.name != module.name);
        self.modules.push(module);
        self
    }

    fn module(&self, name: &str) -> &'static ShaderModule {
        let found = self.modules.iter().find(|m| m.name == name);
        found.expect("build.rs composes every module that is used")
    }

    /// The pipeline of a shader with these constants, compiled when it is first asked for.
    pub(super) fn get(
        &self,
        device: &Device,
        name: &str,
        constants: Constants<'_>,
    ) -> Result<Arc<Pipeline>, SolveError> {
        let key = format!("{name} {constants:?}");
        let mut compiled = self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled.get(&key) {
            return Ok(found.clone());
        }
        let module = self.module(name);
        let pipeline = Pipeline::of_source(device, module, module.source, constants)?;
        let pipeline = Arc::new(pipeline);
        compiled.insert(key, pipeline.clone());
        Ok(pipeline)
    }

    /// The pipeline of a text that is made of a shader. Its bindings are those of the shader.
    pub(super) fn write(
        &self,
        device: &Device,
        name: &str,
        write: impl FnOnce(&str) -> String,
    ) -> Result<Arc<Pipeline>, SolveError> {
        let module = self.module(name);
        let source = write(module.source);
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = written.get(&source).and_then(Weak::upgrade) {
            return Ok(found);
        }
        let pipeline = Arc::new(Pipeline::of_source(device, module, &source, &[])?);
        written.retain(|_, there| there.strong_count() > 0);
        written.insert(source, Arc::downgrade(&pipeline));
        Ok(pipeline)
    }
}

/// A shader, ready to be dispatched.
#[derive(Debug)]
pub(super) struct Pipeline {
    module: &'static ShaderModule,
    pipeline: wgpu::ComputePipeline,
    buffers: wgpu::BindGroupLayout,
    job: wgpu::BindGroupLayout,
}

impl Pipeline {
    /// Compiles the module of this name.
    pub(super) fn new(device: &Device, name: &str) -> Result<Self, SolveError> {
        let module = MODULES
            .iter()
            .find(|m| m.name == name)
            .expect("build.rs composes every module that is used");
        Self::compile(device, module)
    }

    /// Compiles a module.
    pub(super) fn compile(
        device: &Device,
        module: &'static ShaderModule,
    ) -> Result<Self, SolveError> {
        Self::of_source(device, module, module.source, &[])
    }

    /// Compiles a text with the bindings of a module.
    fn of_source(
        device: &Device,
        module: &'static ShaderModule,
        source: &str,
        constants: Constants<'_>,
    ) -> Result<Self, SolveError> {
        let what = format!("compiling the shader {:?}", module.name);
        device.guarded(&what, |wgpu| {
            let layout = |group: u32| {
                let own = module.bindings.iter().filter(|b| b.group == group);
                let entries: Vec<_> = own.map(layout_entry).collect();
                wgpu.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                    label: Some(module.name),
                    entries: &entries,
                })
            };
            let (buffers, job) = (layout(0), layout(1));
            let shader = wgpu.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(module.name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            let layout = wgpu.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(module.name),
                bind_group_layouts: &[Some(&buffers), Some(&job)],
                immediate_size: 0,
            });
            let pipeline = wgpu.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(module.name),
                layout: Some(&layout),
                module: &shader,
                entry_point: Some(module.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    // Every lane fills what it reads.
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            });
            Self {
                module,
                pipeline,
                buffers,
                job,
            }
        })
    }

    /// Binds buffers by the names that the shader gives them.
    ///
    /// # Panics
    ///
    /// If a name is missing or stands twice: the names are fixed where the shaders are.
    pub(super) fn bind(
        &self,
        device: &Device,
        named: &[(&str, &wgpu::Buffer)],
    ) -> Result<wgpu::BindGroup, SolveError> {
        let mut names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let twice = names.windows(2).find(|pair| pair[0] == pair[1]);
        assert_eq!(twice, None, "two buffers of one name");
        let entries: Vec<_> = (self.module.bindings.iter().filter(|b| b.group == 0))
            .map(|binding| {
                let found = named.iter().find(|(name, _)| *name == binding.name);
                let (_, buffer) = found.unwrap_or_else(|| {
                    panic!("{} needs the buffer {:?}", self.module.name, binding.name)
                });
                wgpu::BindGroupEntry {
                    binding: binding.number,
                    resource: buffer.as_entire_binding(),
                }
            })
            .collect();
        self.bind_group(device, &self.buffers, &entries)
    }

    /// Binds the buffer of jobs; a dispatch chooses one of them by its offset.
    pub(super) fn bind_jobs(
        &self,
        device: &Device,
        jobs: &wgpu::Buffer,
    ) -> Result<wgpu::BindGroup, SolveError> {
        let size = std::num::NonZeroU64::new(size_of::<super::layout::Job>() as u64);
        let resource = wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: jobs,
            offset: 0,
            size,
        });
        self.bind_group(
            device,
            &self.job,
            &[wgpu::BindGroupEntry {
                binding: 0,
                resource,
            }],
        )
    }

    fn bind_group(
        &self,
        device: &Device,
        layout: &wgpu::BindGroupLayout,
        entries: &[wgpu::BindGroupEntry<'_>],
    ) -> Result<wgpu::BindGroup, SolveError> {
        let what = format!("binding the buffers of {:?}", self.module.name);
        device.guarded(&what, |wgpu| {
            wgpu.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(self.module.name),
                layout,
                entries,
            })
        })
    }

    /// The compiled pipeline.
    pub(super) fn compute(&self) -> &wgpu::ComputePipeline {
        &self.pipeline
    }
}

fn layout_entry(binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let ty = match binding.kind {
        BindingKind::Uniform => wgpu::BufferBindingType::Uniform,
        BindingKind::Read => wgpu::BufferBindingType::Storage { read_only: true },
        BindingKind::ReadWrite => wgpu::BufferBindingType::Storage { read_only: false },
    };
    wgpu::BindGroupLayoutEntry {
        binding: binding.number,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: binding.name == JOB,
            min_binding_size: None,
        },
        count: None,
    }
}
