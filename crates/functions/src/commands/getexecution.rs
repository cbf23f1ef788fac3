use super::{Call, Command, NO_EXECUTION, Refusal, spec};
use crate::engine::{Answer, Engine};
use crate::plan::StepKind;

pub(crate) const COMMAND: Command = Command {
    spec: spec("rg.getexecution", "Describes an execution.", "id [SHARD|CLUSTER]"),
    args: 1..=2,
    run,
};

/// RG.GETEXECUTION id [SHARD|CLUSTER]
fn run(engine: &mut Engine, call: &mut Call) -> Result<Answer, Refusal> {
    let (_, execution) = engine.find_execution(call.args[0], NO_EXECUTION)?;
    match call.args.get(1) {
        Some(word) if word.eq_ignore_ascii_case(b"CLUSTER") => {
            return Err("no cluster detected - use `RG.GETEXECUTION <id> [SHARD]` instead".into());
        }
        Some(word) if !word.eq_ignore_ascii_case(b"SHARD") => {
            return Err("unknown subcommand".into());
        }
        _ => {}
    }

    let reply = &mut call.reply;
    reply.array(1);
    reply.array(4);
    reply.text("shard_id");
    reply.text(engine.identifiers.node());
    reply.text("execution_plan");
    reply.array(16);
    reply.text("status");
    reply.text(execution.shown_status().name());
    // Acknowledgements of other shards: there are none.
    for counter in ["shards_received", "shards_completed"] {
        reply.text(counter);
        reply.integer(0);
    }
    let is_over = execution.status.is_over();
    reply.text("results");
    reply.integer(if is_over { execution.results.len() as i64 } else { -1 });
    reply.text("errors");
    let errors = if is_over { &execution.errors[..] } else { &[] };
    reply.array(errors.len());
    errors.iter().for_each(|error| reply.text(error));
    reply.text("total_duration");
    reply.integer((execution.total_us / 1000) as i64);
    reply.text("read_duration");
    reply.integer((execution.read_us / 1000) as i64);
    reply.text("steps");
    reply.array(execution.plan.steps.len());
    let measured = execution.step_us.iter().rev().copied().chain(std::iter::repeat(0));
    for (step, us) in execution.plan.steps.iter().rev().zip(measured) {
        reply.array(8);
        for (name, value) in
            [("type", kind_name(step.kind)), ("name", &step.name), ("arg", &step.argument)]
        {
            reply.text(name);
            reply.text(value);
            if name == "type" {
                reply.text("duration");
                reply.integer((us / 1000) as i64);
            }
        }
    }
    Ok(Answer::Ready)
}

/// A step's type in RedisGears' words.
fn kind_name(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Map | StepKind::ToText => "map",
        StepKind::Filter => "filter",
        StepKind::FlatMap => "flatmap",
        StepKind::ForEach => "foreach",
        StepKind::Accumulate | StepKind::Count => "accumulate",
        StepKind::GroupBy | StepKind::LocalGroupBy => "accumulatebykey",
        StepKind::BatchGroupBy => "group",
        StepKind::Repartition => "repartition",
        StepKind::Collect => "collect",
        StepKind::Limit { .. } => "limit",
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::StepKind;
    use crate::testing::{Stage, WORKER, id, plan, text};

    #[test]
    fn an_execution_is_described_step_by_step_from_the_last_to_the_first() {
        let kinds = [StepKind::Map, StepKind::Count];
        let mut stage = Stage::running(plan("KeysReader", &kinds), " UNBLOCKING");
        let get = format!("RG.GETEXECUTION {}", id(0));
        let running = stage.command(&get);
        assert!(running.contains("$6|status|$7|running|"), "{running}");
        assert!(running.contains("$7|results|:-1|$6|errors|*0|"), "{running}");
        stage.host.monotonic_us += 5000;
        stage.progress(WORKER, 0, vec![text("a")], vec!["no".into()], true);
        assert_eq!(
            stage.command(&format!("{get} shard")),
            format!(
                "*1|*4|$8|shard_id|$40|{}|$14|execution_plan|*16|$6|status|$4|done|\
                 $15|shards_received|:0|$16|shards_completed|:0|$7|results|:1|\
                 $6|errors|*1|$2|no|$14|total_duration|:5|$13|read_duration|:0|$5|steps|*2|\
                 *8|$4|type|$10|accumulate|$8|duration|:0|$4|name|$5|count|$3|arg|$0||\
                 *8|$4|type|$3|map|$8|duration|:0|$4|name|$3|map|$3|arg|$0||",
                "0".repeat(40)
            )
        );
    }

    #[test]
    fn there_is_no_cluster_to_ask() {
        let mut stage = Stage::running(plan("KeysReader", &[StepKind::Map]), " UNBLOCKING");
        let cluster = stage.command(&format!("RG.GETEXECUTION {} CLUSTER", id(0)));
        assert!(cluster.starts_with("-no cluster detected - use `RG.GETEXECUTION <id> [SHARD]`"));
        let unknown = stage.command(&format!("RG.GETEXECUTION {} X", id(0)));
        assert_eq!(unknown, "-unknown subcommand|");
        assert_eq!(stage.command("RG.GETEXECUTION x"), "-execution plan does not exist|");
    }
}
