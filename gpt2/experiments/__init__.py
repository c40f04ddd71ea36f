"""Experiments on the model: a prompt and a change in, its measured effect out; swept over heads, layers and positions.

`part` names what can be changed; `ablation`, `steering` and `patching` make the changes; `passes` runs them, `effect`
measures them, `sweep` repeats them over a grid, `muted` takes each part from one logit, `twin` sets a changed run
beside a run on a stage, `plan` holds what a person has chosen for it, `plan_text` writes that in a few letters, and
`command` offers the effects on the command line. `second_run` makes a second run beside any run, `trace_pair` compares
the two step by step, and `compare_command` offers that on the command line.
"""
