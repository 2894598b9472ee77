"""The ten questions as SQL, for SQLite and DuckDB alike, over the tables `runs` and `steps`."""

SQL: dict[str, str] = {
    "replan_after_first_step": """
select category, avg(case when trigger_place = 1 then 1.0 else 0.0 end) as share, count(*) as runs
from runs where category <> '' group by category order by category
""",
    "disagreement_when_unsure": """
select avg(1.0 - correct) as share, count(*) as verdicts
from runs where confidence < 0.7 and correct >= 0 having count(*) > 0
""",
    "prompt_versions_compared": """
with each as (
    select incident, prompt, avg(1.0 * correct) as accuracy
    from runs where prompt <> '' and correct >= 0 group by incident, prompt
)
select a.prompt, b.prompt, avg(a.accuracy), avg(b.accuracy), count(*)
from each a join each b on a.incident = b.incident and a.prompt < b.prompt
group by a.prompt, b.prompt order by a.prompt, b.prompt
""",
    "pattern_before_wrong_verdict": """
with ends as (
    select run, max(place) as place from steps group by run having max(place) >= 2
), pairs as (
    select a.tool as t1, a.inference as i1, b.tool as t2, b.inference as i2,
        1.0 - r.correct as wrong
    from ends e
    join steps a on a.run = e.run and a.place = e.place - 1
    join steps b on b.run = e.run and b.place = e.place
    join runs r on r.run = e.run
    where r.correct >= 0
)
select t1, i1, t2, i2, avg(wrong) / (select avg(wrong) from pairs) as lift, count(*) as runs
from pairs group by t1, i1, t2, i2
having count(*) >= 20 and (select avg(wrong) from pairs) > 0
order by lift desc, t1, i1, t2, i2 limit 5
""",
    "steps_to_verdict": """
with counted as (select run, count(*) as n from steps group by run)
select category, avg(1.0 * coalesce(n, 0)) as steps, count(*) as runs
from runs left join counted on runs.run = counted.run
where category <> '' group by category order by category
""",
    "tools_that_reject": """
select tool, avg(1.0 * rejects) as rejected, count(*) as steps
from steps where tool <> '' group by tool order by tool
""",
    "evidence_of_old_plans": """
with old as (
    select distinct steps.run from steps join runs on steps.run = runs.run
    where in_evidence = 1 and plan_version < plans
)
select avg(case when old.run is null then 0.0 else 1.0 end) as share, count(*) as verdicts
from runs left join old on runs.run = old.run
where confidence is not null having count(*) > 0
""",
    "overconfidence_of_models": """
select model, avg(confidence) as confidence, avg(1.0 * correct) as accuracy, count(*) as runs
from runs where correct >= 0 and confidence is not null group by model order by model
""",
    "intents_carried_out": """
select intent, avg(1.0 * touches_target) as share, count(*) as steps
from steps where intent <> '' and touches_target >= 0 group by intent order by intent
""",
    "unused_steps": """
select prompt, avg(case when in_evidence = 0 and rejects = 0 then 1.0 else 0.0 end) as share,
       count(*) as steps
from steps join runs on steps.run = runs.run
where prompt <> '' and confidence is not null group by prompt order by prompt
""",
}
"""One query per question, named like its function; a missing confidence is null."""
