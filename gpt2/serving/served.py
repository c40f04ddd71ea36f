"""The served graph: the model's own components, of which attention alone looks elsewhere, in a cache of many requests.

A server runs the new tokens of all its requests in one pass. They stand one behind the other in one row of tokens, and
`offsets` says where each request begins. Keys and values are kept in pages of a fixed number of positions: a request
owns as many pages as its text needs, wherever they are free, so no memory is reserved for text that is never made.
"""

import math
from typing import NamedTuple

import numpy as np
from max import tree
from max.driver import CPU
from max.dtype import DType
from max.experimental import functional as F
from max.experimental.nn import Module
from max.experimental.nn.common_layers.functional_kernels import flash_attention_ragged, store_k_cache_ragged
from max.experimental.tensor import Tensor
from max.nn.attention import MHAMaskVariant
from max.nn.kernels import store_v_cache_ragged as store_v_in_graph
from max.nn.kv_cache import KVCacheInputsPerDevice, KVCacheParams
from max.pipelines.lib import ModuleV3Outputs

from gpt2.model.attention import Attention
from gpt2.model.changes import Change, Changes
from gpt2.model.config import GPT2Config
from gpt2.model.lm_head import LMHead
from gpt2.model.transformer import Transformer

store_v_cache_ragged = F.functional(store_v_in_graph)


class Pages(NamedTuple):
    """The past of all requests at one layer: where a block finds keys and values, and puts the new ones.

    Attributes: `layer` is the block's number; `cache` the pages, and which request owns which; `offsets` [request + 1]
    where each request's new tokens begin in the row, and where the last one's end.
    """

    layer: int
    params: KVCacheParams
    cache: KVCacheInputsPerDevice
    offsets: Tensor


class PagedAttention(Attention):
    """The model's attention, with the past in pages; projections, hooks and weights are the same."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, past: Pages) -> Tensor:  # type: ignore[override]
        """Put the new keys and values into their requests' pages, then look at each request's own past.

        MAX's kernel does softmax, causal mask and mixing in one go, page by page; no pattern is ever written down.

        Shapes: q, k, v [seq, head, d_head], the requests one behind the other -> z [seq, head, d_head].
        """
        layer = F.constant(past.layer, DType.uint32, device=CPU())
        store_k_cache_ragged(past.cache, k, past.offsets, layer)
        store_v_cache_ragged(past.cache, v, past.offsets, layer)
        return flash_attention_ragged(
            past.params,
            input=q,
            input_row_offsets=past.offsets,
            kv_collection=past.cache,
            layer_idx=layer,
            mask_variant=MHAMaskVariant.CAUSAL_MASK,
            scale=1 / math.sqrt(self.d_head),
        )


class Served(Module[..., ModuleV3Outputs]):
    """GPT-2 as a server runs it: only the logits that a next token is drawn from leave the graph.

    Shapes: tokens, positions [seq], offsets [request + 1] -> logits [request, vocab].
    """

    def __init__(self, config: GPT2Config, params: KVCacheParams) -> None:
        """Make stack and head as they are, and let each block attend in pages."""
        self.transformer = Transformer(config)
        for layer, block in enumerate(self.transformer.h):
            block.attn = PagedAttention(config, f"blocks.{layer}.attn")
        self.lm_head = LMHead(config)
        self.n_layer, self.params = config.n_layer, params

    def forward(self, tokens: Tensor, positions: Tensor, offsets: Tensor, *cache: Tensor) -> ModuleV3Outputs:
        """Run the new tokens of all requests at once; `cache` are the pages, as MAX Serve passes them."""
        inputs = self.params.unflatten_kv_inputs(iter(part._graph_value for part in cache))
        (pages,) = tree.leaves(inputs, leaf=KVCacheInputsPerDevice)
        past = [Pages(layer, self.params, pages, offsets) for layer in range(self.n_layer)]
        final = self.transformer(tokens, positions, past, [self.unchanged(tokens)] * self.n_layer)  # [seq, d_model]
        last = F.gather(final, offsets[1:] - 1, axis=0)  # [request, d_model]
        return ModuleV3Outputs(next_token_logits=self.lm_head(last))

    @staticmethod
    def unchanged(tokens: Tensor) -> Changes:
        """No intervention: a scale of 1 and nothing added, which leaves every number as it is."""
        one, zero = (F.constant(np.array([value], np.float32), DType.float32, tokens.device) for value in (1, 0))
        return Changes(*[Change(one, zero)] * 4)
