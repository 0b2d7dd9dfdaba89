"""Attribution graphs of prompts, as circuit-tracer, Neuronpedia and others write them, made runs.

`streaming` reads the JSON a piece at a time, `layouts` knows what each producer means by it,
`tables` makes a run folder of it, which everything else takes for any other run.
"""
