"""Pictures of two runs in lockstep: their texts, the distance of their next tokens, and the inside of each or both."""
