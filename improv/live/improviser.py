"""The improviser: from what both parts played so far to what the partner plays next.

Pure: no clock, no port, no thread; its randomness is a seeded generator it owns. Live play, file generation and tests
all run this one, and the same seed and the same input give the same notes.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from improv.knobs import Controls, K
from improv.live.listening import KeyListener, Register, leaning
from improv.live.modes import Turn
from improv.model.sequence_model import SequenceModel
from improv.music.key import Key
from improv.music.pianoroll import SOUNDING, STRUCK, Frame, silence, transpose
from improv.music.recall import Recall, Recalled
from improv.sampling.chain import FREE
from improv.sampling.frames import FrameSampler

# Frames kept, from which the state is rebuilt when the key changes, in 5 ms. With 256 that takes 20, and a tick is
# missed, for 0.03 nats in a frame at most.
MEMORY = 64
FAR = 2  # notes of its scale by which a key is another rather than a neighbour
UNSURE_BEATS = 128.0  # since the key was first known, within which a far one shows that it was misheard
ALONE_BEATS = 8.0  # without a note of the player's after which the partner plays alone


class Improviser:
    """One partner. For every frame n call `answer` before its tick, and `hear` once the frame is over.

    Args:
        model: on the CPU.
        seed: of all its choices.
        sampler: who runs the chain, one of improv.sampling.chain.SAMPLERS.
        key: the key to play in, or None to follow what is heard.

    Attributes:
        steps: Gibbs steps that the last answer came from.
    """

    def __init__(self, model: SequenceModel, seed: int, sampler: str = "cpu", key: Key | None = None) -> None:
        self.model = model
        self.config = model.config
        self.seed = seed
        self._frames = FrameSampler(model, seed, sampler)
        self.steps = 0
        self.fixed_key = key
        self._listener = KeyListener(self.config.grid, self.config.low)
        self._register = Register(self.config.grid, self.config.low)
        self._recall = Recall(self.config.n_pitches)
        self._memory: deque[tuple[Frame, Recalled]] = deque(maxlen=MEMORY)
        self._previous = self._own = silence(self.config.n_pitches)
        self._shift = self._wanted_shift()
        self._rest = math.inf  # beats since the player's last note
        self._in_key = 0.0  # beats since a key was first known
        self.number = 0
        self.bar_beats = 4.0

    @property
    def sampler(self) -> str:
        """Who runs the chain."""
        return self._frames.sampler

    @property
    def key(self) -> Key | None:
        """The key the partner plays in; None while it is unknown."""
        return self.fixed_key or self._listener.key

    def hear(self, player: Frame, partner: Frame | None = None) -> None:
        """Takes in frame n as it finally sounded, each part uint8 [2, n_pitches] at concert pitch.

        The state is fed both parts together; the key is the player's alone, or the partner would follow itself.
        """
        frame = player if partner is None else player | partner
        self.number += 1
        self._frames.go_on()
        self._memory.append((frame, self._recall.hear(frame[np.newaxis])))
        self._previous = frame
        self._own = silence(self.config.n_pitches) if partner is None else partner
        self._rest = 0.0 if player[SOUNDING].any() else self._rest + self.config.grid
        before = self.key
        self._listener.hear(player)
        self._register.hear(player)
        self._in_key += self.config.grid if self._listener.key else 0.0
        if self.key != before and self.config.normalised:
            self._change_key(before)
        else:
            self._advance([self._memory[-1]])

    def answer(
        self,
        player: Frame,
        turn: Turn,
        controls: Controls,
        struck: Frame | None = None,
        deadline: float = math.inf,
    ) -> Frame:
        """What the partner plays in the frame to come, uint8 [2, n_pitches]: never a pitch the player sounds there.

        Args:
            player: what the player is known to sound in it, [2, n_pitches].
            turn: who plays, and whether the chain is clamped to the player's notes.
            struck: what the partner has struck in this frame already, [2, n_pitches], and goes on sounding: a note
                taken back at once would be heard as a slip, and so would one that goes on and is struck only now.
            deadline: moment of time.perf_counter at which the chain stops short of its k steps.
        """
        self.steps = 0
        if not turn.partner_plays:
            return silence(self.config.n_pitches)
        previous = transpose(self._previous, self._shift)
        known = transpose(player, self._shift)
        begun = silence(self.config.n_pitches) if struck is None else struck & (1 - player[SOUNDING])
        free = np.full(self.config.n_visible, FREE, np.int8)
        going_on = silence(self.config.n_pitches) if struck is None else self._own
        clamp = (transpose(part, self._shift) for part in (begun, going_on))
        held = self._held(known, *clamp) if turn.clamped else free
        lean = leaning(self.key, self.config)
        temperature = controls.temperature * self.config.temperature
        if self._rest >= ALONE_BEATS and not player[SOUNDING].any():
            temperature *= self.config.solo
        v, self.steps = self._frames.sample(held, lean, temperature, controls.k, deadline)
        # At the edge of the range pitches are folded, so the player's must be left out in both keys.
        own = self.model.decode(v, previous) & (1 - known[SOUNDING])
        frame = transpose(own, -self._shift) & (1 - player[SOUNDING])
        frame[SOUNDING] &= frame[STRUCK] | self._own[SOUNDING]  # nobody can hold on to a note that another let go
        return np.asarray(frame | begun)

    def follow(self, key: Key | None) -> None:
        """Plays in `key` from now on, or follows what is heard where None."""
        before, self.fixed_key = self.key, key
        if self.key != before and self.config.normalised:
            self._change_key(before)

    def forget(self, number: int = 0, bar_beats: float = 4.0) -> None:
        """Starts anew, as if nothing had been heard: the next frame is `number`, a bar has `bar_beats` beats."""
        self.number, self.bar_beats = number, bar_beats
        self._rest, self._in_key = math.inf, 0.0
        self._frames.go_on()
        self._listener = KeyListener(self.config.grid, self.config.low)
        self._register = Register(self.config.grid, self.config.low)
        self._recall = Recall(self.config.n_pitches)
        self._memory.clear()
        self._previous = self._own = silence(self.config.n_pitches)
        self._shift = self._wanted_shift()
        self._remember()

    def remember(self, other: Improviser) -> None:
        """Takes over what `other`, whose frames are as long and of the same pitches, has heard: the music goes on."""
        self.forget(other.number - len(other._memory), other.bar_beats)
        self._listener, self._register = other._listener, other._register
        self._shift = self._wanted_shift()
        self._memory.extend(other._memory)
        self._recall = other._recall
        self._previous, self._own, self.number = other._previous, other._own, other.number
        self._rest, self._in_key = other._rest, other._in_key
        self._remember()

    def change_sampler(self, sampler: str) -> None:
        """Lets another run the chain from now on, with random numbers of its own."""
        self._frames = FrameSampler(self.model, self.seed, sampler)
        self._remember()

    def warm_up(self) -> None:
        """Does all the slow things of the first frame (compiling, loading kernels) now."""
        nobody = silence(self.config.n_pitches)
        clamped = Turn(partner_plays=True, clamped=True, whose="both")
        other = Improviser(self.model, 0, self.sampler)  # so that our own choices stay those of our seed
        for k in (K.low, K.high):  # others may run the shortest chains than the longest
            other.answer(nobody, clamped, Controls(k=int(k)), deadline=-math.inf)
        other.hear(nobody)

    def _held(self, player: Frame, begun: Frame, going_on: Frame) -> NDArray[np.int8]:
        """The clamp [V]: the player's pitches sound, struck or held just as they are, and so do those that the partner
        has begun; what is going on is not struck; the player's register is silent but for them; all else is free."""
        held = np.full((2, self.config.n_pitches), FREE, np.int8)
        held[STRUCK, going_on[SOUNDING] == 1] = 0
        held[:, self._register.taken(self._shift)] = 0
        for part in (begun, player):
            pitches = part[SOUNDING] == 1
            held[SOUNDING, pitches] = 1
            held[STRUCK, pitches] = part[STRUCK, pitches]
        return self.model.encode(held)

    def _change_key(self, before: Key | None) -> None:
        """Goes over to the present key. Where that is far from the one `before`, and the music young, nothing but the
        last frame is remembered: the harmony of a key misheard would go on."""
        far = before and self.key and len(self.key.pitch_classes - before.pitch_classes) >= FAR
        if far and self._memory and self._in_key <= UNSURE_BEATS:
            last, _ = self._memory[-1]
            self._recall = Recall(self.config.n_pitches)
            self._memory.clear()
            self._memory.append((last, self._recall.hear(last[np.newaxis])))
        self._shift = self._wanted_shift()
        self._remember()

    def _wanted_shift(self) -> int:
        """Semitones from concert pitch to the key the model knows."""
        return self.key.shift if self.config.normalised and self.key is not None else 0

    def _remember(self) -> None:
        """The state anew from all remembered frames, as the model would have heard them in the present key."""
        self._frames.forget()
        if self._memory:
            self._advance(self._memory)

    def _advance(self, heard: Sequence[tuple[Frame, Recalled]]) -> None:
        frames = np.stack([frame for frame, _ in heard])
        recalled = Recalled(
            np.concatenate([what.frames for _, what in heard]), np.concatenate([what.similarity for _, what in heard])
        )
        first = self.number - len(frames)
        frames, recalled = transpose(frames, self._shift), recalled.transposed(self._shift)
        self._frames.hear(self.model.inputs(frames, first, self.bar_beats, recalled).numpy())
