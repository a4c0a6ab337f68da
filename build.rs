//! Composes the shaders, checks each with naga and writes what the host needs to know about them: a shader that is broken, or a
//! binding that is not there, fails the build.
//!
//! The host reads names and numbers of bindings, and offsets of struct members, from the tables made here; nothing of a shader
//! is typed twice.

#[cfg(feature = "gpu")]
mod shaders {
    use std::fmt::Write as _;
    use std::path::Path;

    use naga::valid::{Capabilities, ValidationFlags, Validator};
    use naga::{AddressSpace, Module, StorageAccess, TypeInner};

    /// Files of every module, in order; the last one holds the entry point.
    const MODULES: &[(&str, &[&str])] = &[
        (
            "draw_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/lattice",
                "common/table",
                "common/leaf",
                "common/words",
                "reward/draw",
            ],
        ),
        (
            "draw_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/lattice",
                "common/table",
                "common/leaf",
                "common/words",
                "reward/draw",
            ],
        ),
        (
            "place_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/leaf",
                "reward/place",
            ],
        ),
        (
            "place_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/leaf",
                "reward/place",
            ],
        ),
        (
            "shuffle_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/leaf",
                "reward/shuffle",
            ],
        ),
        (
            "shuffle_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/leaf",
                "reward/shuffle",
            ],
        ),
        (
            "arrange_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/leaf",
                "reward/arrange",
            ],
        ),
        (
            "arrange_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/leaf",
                "reward/arrange",
            ],
        ),
        (
            "settle_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/table",
                "common/leaf",
                "reward/settle",
            ],
        ),
        (
            "settle_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/table",
                "common/leaf",
                "reward/settle",
            ],
        ),
        (
            "latent_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/table",
                "common/leaf",
                "common/words",
                "reward/latent",
            ],
        ),
        (
            "latent_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/table",
                "common/leaf",
                "common/words",
                "reward/latent",
            ],
        ),
        (
            "sum_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/leaf",
                "common/wide_halves",
                "reward/sum",
            ],
        ),
        (
            "sum_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/leaf",
                "common/wide_int64",
                "reward/sum",
            ],
        ),
        ("start", &["common/cell", "solve/start"]),
        (
            "in_place",
            &[
                "common/cell",
                "common/rewards",
                "common/own_storage",
                "common/any_choice",
                "common/bounds",
                "common/rows",
                "solve/in_place",
            ],
        ),
        (
            "in_place_followed",
            &[
                "common/cell",
                "common/rewards",
                "common/own_storage",
                "common/followed",
                "common/bounds",
                "common/rows",
                "solve/in_place",
            ],
        ),
        (
            "in_place_workgroup",
            &[
                "common/cell",
                "common/rewards",
                "common/own_workgroup",
                "common/any_choice",
                "common/bounds",
                "common/rows",
                "solve/in_place",
            ],
        ),
        (
            "straight",
            &[
                "common/cell",
                "common/rewards",
                "common/progress",
                "common/bounds",
                "common/certificate",
                "solve/straight",
            ],
        ),
        (
            "in_phases_moves",
            &["common/cell", "common/phase_moves", "solve/in_phases"],
        ),
        (
            "in_phases_terms",
            &["common/cell", "common/phase_terms", "solve/in_phases"],
        ),
        (
            "jacobi",
            &[
                "common/cell",
                "common/rewards",
                "common/values_storage",
                "common/any_choice",
                "common/bounds",
                "common/rows",
                "solve/jacobi",
            ],
        ),
        (
            "jacobi_followed",
            &[
                "common/cell",
                "common/rewards",
                "common/values_storage",
                "common/followed",
                "common/bounds",
                "common/rows",
                "solve/jacobi",
            ],
        ),
        (
            "certify",
            &[
                "common/cell",
                "common/progress",
                "common/extremes",
                "common/certificate",
                "solve/certify",
            ],
        ),
        (
            "measure",
            &[
                "common/cell",
                "common/extremes",
                "common/rewards",
                "common/values_storage",
                "common/any_choice",
                "common/bounds",
                "common/rows",
                "solve/measure",
            ],
        ),
        (
            "measure_followed",
            &[
                "common/cell",
                "common/extremes",
                "common/rewards",
                "common/values_storage",
                "common/followed",
                "common/bounds",
                "common/rows",
                "solve/measure",
            ],
        ),
        ("product", &["common/cell", "solve/product"]),
        (
            "measure_swept",
            &[
                "common/cell",
                "common/extremes",
                "common/rewards",
                "common/bounds",
                "common/swept",
                "solve/measure",
            ],
        ),
        ("recentre", &["common/cell", "solve/recentre"]),
        ("reduce", &["common/cell", "statistics/reduce"]),
        ("tally", &["common/cell", "statistics/tally"]),
        (
            "table_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/table",
                "selftest/table",
            ],
        ),
        (
            "table_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/table",
                "selftest/table",
            ],
        ),
        (
            "words_halves",
            &[
                "common/cell",
                "common/mulhi_halves",
                "common/philox",
                "common/lattice",
                "selftest/words",
            ],
        ),
        (
            "words_int64",
            &[
                "common/cell",
                "common/mulhi_int64",
                "common/philox",
                "common/lattice",
                "selftest/words",
            ],
        ),
    ];

    /// Writes `shaders.rs` into the build's output.
    pub(crate) fn compose() {
        println!("cargo::rerun-if-changed=shaders");
        let mut table = String::from("pub(super) static MODULES: &[ShaderModule] = &[\n");
        for (name, files) in MODULES {
            let source: String = files.iter().map(|file| read(file)).collect();
            table += &describe(name, &source);
        }
        table += "];\n";
        let out = std::env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
        std::fs::write(Path::new(&out).join("shaders.rs"), table).expect("a writable OUT_DIR");
    }

    fn read(file: &str) -> String {
        let path = format!("shaders/{file}.wgsl");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    /// One entry of the table.
    fn describe(name: &str, source: &str) -> String {
        let module = naga::front::wgsl::parse_str(source)
            .unwrap_or_else(|error| panic!("shader {name}:\n{}", error.emit_to_string(source)));
        Validator::new(ValidationFlags::all(), Capabilities::SHADER_INT64)
            .validate(&module)
            .unwrap_or_else(|error| panic!("shader {name}:\n{}", error.emit_to_string(source)));
        let [entry] = &module.entry_points[..] else {
            panic!(
                "shader {name} has {} entry points",
                module.entry_points.len()
            );
        };
        let mut text = String::new();
        writeln!(
            text,
            "ShaderModule {{ name: {name:?}, entry: {:?}, source: {source:?},",
            entry.name
        )
        .unwrap();
        writeln!(text, "bindings: &[{}],", bindings(&module)).unwrap();
        writeln!(text, "structs: &[{}] }},", structs(&module)).unwrap();
        text
    }

    fn bindings(module: &Module) -> String {
        let mut text = String::new();
        for (_, variable) in module.global_variables.iter() {
            let Some(binding) = &variable.binding else {
                continue;
            };
            let kind = match variable.space {
                AddressSpace::Uniform => "Uniform",
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    "ReadWrite"
                }
                AddressSpace::Storage { .. } => "Read",
                space => panic!("a binding in {space:?}"),
            };
            let name = variable.name.as_deref().expect("bindings are named");
            let (group, number) = (binding.group, binding.binding);
            write!(text, "Binding {{ name: {name:?}, group: {group}, number: {number}, kind: BindingKind::{kind} }}, ").unwrap();
        }
        text
    }

    /// Offsets of the members of every struct, and its size.
    fn structs(module: &Module) -> String {
        let mut text = String::new();
        for (_, kind) in module.types.iter() {
            let (Some(name), TypeInner::Struct { members, span }) = (&kind.name, &kind.inner)
            else {
                continue;
            };
            let members: String = members
                .iter()
                .map(|m| format!("({:?}, {}), ", m.name.as_deref().unwrap_or(""), m.offset))
                .collect();
            write!(
                text,
                "StructLayout {{ name: {name:?}, size: {span}, members: &[{members}] }}, "
            )
            .unwrap();
        }
        text
    }
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "gpu")]
    shaders::compose();
}
