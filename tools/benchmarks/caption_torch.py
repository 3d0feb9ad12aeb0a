"""A caption network of the same size in PyTorch: the code's first state, nn.GRU, a softmax over the words."""

import torch
import worker
from caption_lengths import captions
from torch import nn


class Caption(nn.Module):
    def __init__(self, words, hidden, embedding, latent):
        super().__init__()
        self.first = nn.Linear(latent, hidden)
        self.embedding = nn.Embedding(words, embedding)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.words = nn.Linear(hidden, words)

    def forward(self, z, ids):
        """h of every place: [B, T, H]."""
        h = torch.tanh(self.first(z))
        hidden, _ = self.gru(self.embedding(ids[:, :-1]), h[None])
        return torch.cat([h[:, None], hidden], dim=1)


def train(batch, words, hidden, embedding, length, latent, way):
    """One step of fused Adam; `masked` multiplies all places with the words, `packed` those within captions."""
    torch.manual_seed(0)
    network = Caption(words, hidden, embedding, latent)
    adam = torch.optim.Adam(network.parameters(), lr=3e-4, fused=True)
    z, ids = torch.randn(batch, latent), torch.tensor(captions(batch, words, length), dtype=torch.long)
    ended = torch.cumsum((ids == 0).int(), dim=1)
    within = ended <= 1
    targets = torch.where(within, ids, torch.full_like(ids, -100))

    def call():
        hidden = network(z, ids)
        if way == "packed":
            loss = nn.functional.cross_entropy(network.words(hidden[within]), ids[within], reduction="sum") / batch
        else:
            logits = network.words(hidden).flatten(0, 1)
            loss = nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=-100, reduction="sum") / batch
        adam.zero_grad()
        loss.backward()
        adam.step()

    return worker.repeated(call)


if __name__ == "__main__":
    worker.serve({"train": train}, {}, {"torch": torch.__version__})
