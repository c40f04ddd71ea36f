"""The model: token ids in, logits and every activation out.

Read in the order of the forward pass: `config` the sizes · `plain` numbers of any kind as Python's own · `hooks` what
is captured · `interventions` what may be changed · `inputs` the same as arrays · `changes` how the graph does it ·
`embeddings` tokens and positions to vectors · `mask` which keys a query may attend to · `layer_norm` · `linear` ·
`attention` · `mlp` · `block` the residual additions · `transformer` the stack · `lm_head` vectors to logits ·
`sampling` logits to the next token · `packing` a token's captures in two blocks · `unpacking` the captures again ·
`graphs` the four graphs that are compiled from all this.
"""
