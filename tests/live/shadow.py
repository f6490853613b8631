"""A partner whose play is known: an octave below the player, always."""

from pathlib import Path

from improv.model import checkpoint
from improv.model.config import Config
from improv.model.sequence_model import SequenceModel
from improv.music.pianoroll import LOW

BASS, DOUBLED, PLAYED = range(36, 48), range(48, 60), range(60, 72)


def save_shadow(path: Path) -> None:
    """Writes a checkpoint that doubles the player's notes from C4 to B4 an octave lower, struck where they are struck
    and held where they are held, above a bass of its own."""
    model = SequenceModel(Config(hidden=2 * len(PLAYED), recurrent=1, bars=False, normalised=False))
    assert model.rbm is not None
    for parameter in model.parameters():
        parameter.data.zero_()
    model.rbm.b_v.data.fill_(-20.0)
    model.rbm.b_v.data[[pitch - LOW for pitch in BASS]] = -2.0
    model.rbm.b_h.data.fill_(-22.0)
    for hidden in range(2 * len(PLAYED)):  # one hidden unit ties each pitch to its octave, first sounding, then struck
        part, degree = divmod(hidden, len(PLAYED))
        played, doubled = (part * model.config.n_pitches + pitches[degree] - LOW for pitches in (PLAYED, DOUBLED))
        model.rbm.b_v.data[played], model.rbm.W.data[played, hidden] = -60.0, 44.0  # never sounds unless it is clamped
        model.rbm.b_v.data[doubled], model.rbm.W.data[doubled, hidden] = -14.0, 24.0
    checkpoint.save(path, model)
