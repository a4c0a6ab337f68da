//! The script that runs an experiment as a job array under Slurm.

/// What the script needs to know.
#[derive(Clone, Debug, PartialEq)]
pub struct SlurmScript {
    /// Name of the experiment.
    pub name: String,
    /// The powersweep program.
    pub program: String,
    /// Arguments of `run`, the experiment file first.
    pub arguments: Vec<String>,
    /// The run directory; the shards go beside it.
    pub out: String,
    /// Tasks of the array: shards of the run.
    pub nodes: u64,
    /// Time limit of a task. One that reaches it writes its checkpoint and is queued again.
    pub minutes: u64,
    /// Processors for each task.
    pub processors: usize,
    /// Worker threads of a task.
    pub threads: usize,
    /// Memory for each task, in mebibytes.
    pub mebibytes: u64,
    /// Whether a task needs a graphics processor.
    pub gpu: bool,
    /// Minutes that a task is expected to work, where that could be tried.
    pub expected_minutes: Option<f64>,
}

/// Seconds before the time limit at which a task is told to stop.
const WARNING_SECONDS: u64 = 60;

/// A bash script that submits the array and a job that merges its shards. It needs nothing but `sbatch`, and can be read and changed.
#[must_use]
pub fn slurm_script(script: &SlurmScript) -> String {
    let SlurmScript {
        nodes,
        minutes,
        processors,
        threads,
        mebibytes,
        ..
    } = script;
    let name = plain(&script.name);
    let [program, out, shards] = [
        &script.program,
        &script.out,
        &format!("{}-shards", script.out),
    ]
    .map(|text| quote(text));
    // Slurm reads its own lines as they are, with double quotes for blanks.
    let log = format!("{}-shards", script.out);
    let arguments: Vec<String> = script.arguments.iter().map(|text| quote(text)).collect();
    let arguments = arguments.join(" ");
    let expected = match script.expected_minutes {
        Some(expected) => format!(
            "# A task is expected to work for {expected:.1} minutes, by a trial on the machine that this was printed on, and may work for {minutes} at a time.\n"
        ),
        None => String::new(),
    };
    let gpu = match script.gpu {
        true => "#SBATCH --gpus-per-task=1\n",
        false => "",
    };
    // Tasks that are told to stop half-way through their time have made no less progress than they could.
    let warning = WARNING_SECONDS.min(minutes * 60 / 2);
    format!(
        r#"#!/bin/bash
# Runs {name} as a Slurm job array of {nodes} shards and merges them: bash THIS_FILE
# A task that comes to its time limit writes its checkpoint and is queued again; so is one whose node dies. Submitting this again goes on where the shards stand.
{expected}set -euo pipefail
mkdir -p {shards}

array=$(sbatch --parsable <<'JOB'
#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=1-{nodes}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task={processors}
#SBATCH --mem={mebibytes}M
#SBATCH --time={minutes}
#SBATCH --signal=TERM@{warning}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output="{log}/%a.log"
{gpu}
srun --ntasks=1 {program} run {arguments} --shard "$SLURM_ARRAY_TASK_ID/{nodes}" --out {shards}/"$SLURM_ARRAY_TASK_ID" --threads {threads} --quiet
code=$?
if [ "$code" -eq 143 ]; then # told to stop: there is more to do
    scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit "$code"
JOB
)

# After any end of the array's tasks: goals that missed the tolerance are no reason not to merge, and shards that are missing are named.
merge=$(sbatch --parsable --dependency=afterany:"$array" <<'JOB'
#!/bin/bash
#SBATCH --job-name={name}-merge
#SBATCH --ntasks=1
#SBATCH --time=60
#SBATCH --output="{log}/merge.log"

{program} merge {out} {shards}/{{1..{nodes}}} --quiet
JOB
)
echo "array $array, merge $merge; results will be in "{out}
"#
    )
}

/// A name that Slurm takes.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "-_.".contains(c) {
            c
        } else {
            '-'
        }
    };
    name.chars().map(plain).collect()
}

/// A word of a shell.
fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./=+,:@%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script() -> SlurmScript {
        SlurmScript {
            name: "quick start".to_owned(),
            program: "/opt/power sweep/powersweep".to_owned(),
            arguments: vec!["experiments/quickstart.toml".to_owned()],
            out: "powersweep-runs/quickstart-0123abcd".to_owned(),
            nodes: 16,
            minutes: 60,
            processors: 8,
            threads: 8,
            mebibytes: 512,
            gpu: true,
            expected_minutes: Some(134.25),
        }
    }

    #[test]
    fn the_script_of_an_experiment() {
        insta::assert_snapshot!(slurm_script(&script()));
    }

    #[test]
    fn words_of_a_shell_stay_one_word() {
        assert_eq!(quote("a/b-1.toml"), "a/b-1.toml");
        assert_eq!(quote("it's here"), r"'it'\''s here'");
        assert_eq!(quote(""), "''");
        let less = slurm_script(&SlurmScript {
            gpu: false,
            expected_minutes: None,
            ..script()
        });
        assert!(!less.contains("gpus") && !less.contains("expected"));
    }
}
