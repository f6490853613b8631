"""The built-in instrument as sound: pitch, level, silence, no clicks. Rendered at once, without a device."""

import numpy as np
import pytest
from numpy.typing import NDArray

from improv.live.synth.instrument import Synth
from improv.live.synth.midi import split
from improv.live.synth.voices import POLYPHONY

RATE = 48000
Sound = NDArray[np.float32]


def on(pitch: int, velocity: int = 90, channel: int = 0) -> bytes:
    return bytes([0x90 | channel, pitch, velocity])


def off(pitch: int, channel: int = 0) -> bytes:
    return bytes([0x80 | channel, pitch, 0])


def control(number: int, value: int, channel: int = 0) -> bytes:
    return bytes([0xB0 | channel, number, value])


def play(synth: Synth, *messages: bytes, seconds: float) -> Sound:
    for message in messages:
        synth.send(message)
    return synth.render(round(seconds * RATE))


def cents_off(sound: Sound, pitch: int) -> float:
    """Distance of the strongest partial near `pitch` from it."""
    spectrum = np.abs(np.fft.rfft(sound.mean(axis=1) * np.hanning(len(sound)), 4 * len(sound)))
    target = 440 * 2 ** ((pitch - 69) / 12)
    frequencies = np.fft.rfftfreq(4 * len(sound), 1 / RATE)
    near = np.abs(np.log2(np.maximum(frequencies, 1) / target)) < 1 / 12
    return float(1200 * np.log2(frequencies[np.where(near, spectrum, 0).argmax()] / target))


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("pitch", [21, 48, 69, 90, 108])
def test_every_note_is_in_tune(pitch: int, channel: int) -> None:
    assert abs(cents_off(play(Synth(RATE), on(pitch, channel=channel), seconds=2), pitch)) < 1


def test_the_tuning_does_not_depend_on_the_sampling_rate() -> None:
    synth = Synth(RATE / 2)
    synth.send(on(69))
    assert abs(cents_off(synth.render(RATE), 81)) < 1  # read at twice the rate: an octave up


def test_it_is_exactly_silent_before_a_note_and_after_its_release() -> None:
    synth = Synth(RATE)
    assert not synth.render(1000).any()
    play(synth, on(69), seconds=0.5)
    fading = play(synth, off(69), seconds=3)
    assert np.abs(fading[RATE:]).max() < 1e-4
    assert not fading[-RATE // 2 :].any()
    assert synth.silent


def test_a_note_on_with_velocity_zero_ends_the_note() -> None:
    synth = Synth(RATE)
    play(synth, on(60), on(60, velocity=0), seconds=3)
    assert synth.silent


def test_a_held_note_rings_on() -> None:
    sound = play(Synth(RATE), on(60), seconds=3)
    assert np.abs(sound[-RATE // 10 :]).max() > 0.01


def test_the_sustain_pedal_holds_notes_until_it_is_lifted() -> None:
    synth = Synth(RATE)
    play(synth, control(64, 127), on(60), off(60), seconds=1)
    assert np.abs(synth.render(RATE // 10)).max() > 0.01
    play(synth, control(64, 0), seconds=3)
    assert synth.silent


@pytest.mark.parametrize("controller", [120, 123])
def test_all_notes_off_silences_its_channel_even_under_the_pedal(controller: int) -> None:
    synth = Synth(RATE)
    play(synth, control(64, 127), on(60), on(64), seconds=0.3)
    play(synth, control(controller, 0), seconds=3)
    assert synth.silent


def test_all_notes_off_leaves_the_other_part_alone() -> None:
    synth = Synth(RATE)
    play(synth, on(60), on(67, channel=1), control(123, 0), seconds=1)
    assert abs(cents_off(synth.render(RATE), 67)) < 1


def test_a_repeated_note_is_struck_again_and_one_release_ends_it() -> None:
    synth = Synth(RATE)
    before = np.abs(play(synth, on(60), seconds=3)[-RATE // 5 :]).max()
    assert np.abs(play(synth, on(60), seconds=0.2)).max() > 1.5 * before
    play(synth, off(60), seconds=3)
    assert synth.silent


@pytest.mark.parametrize("channel", [0, 1])
def test_forte_is_louder_and_brighter_than_piano(channel: int) -> None:
    piano, forte = (play(Synth(RATE), on(60, velocity, channel), seconds=0.5)[:, 0] for velocity in (30, 120))
    brightness = [(np.diff(sound) ** 2).sum() / (sound**2).sum() for sound in (piano, forte)]
    assert np.abs(forte).max() > 3 * np.abs(piano).max()
    assert brightness[1] > 1.2 * brightness[0]


def test_player_and_partner_differ_in_place_and_timbre() -> None:
    player, partner = (play(Synth(RATE), on(60, channel=channel), seconds=0.5) for channel in (0, 1))
    assert np.square(player[:, 0]).sum() > np.square(player[:, 1]).sum()
    assert np.square(partner[:, 0]).sum() < np.square(partner[:, 1]).sum()
    spectra = [np.abs(np.fft.rfft(sound.mean(axis=1))) for sound in (player, partner)]
    likeness = spectra[0] @ spectra[1] / np.linalg.norm(spectra[0]) / np.linalg.norm(spectra[1])
    assert likeness < 0.98


def test_no_chord_clips_however_many_keys_are_struck() -> None:
    chord = [on(pitch, 127, channel) for pitch in range(30, 100, 2) for channel in (0, 1)]
    sound = play(Synth(RATE), *chord, seconds=1)
    assert np.isfinite(sound).all()
    assert 0.3 < np.abs(sound).max() < 0.9


def test_one_note_more_than_there_are_voices_costs_the_quietest() -> None:
    synth = Synth(RATE)
    play(synth, *(on(pitch, 100) for pitch in range(30, 30 + POLYPHONY) if pitch != 50), on(50, 20), seconds=0.1)
    play(synth, on(100, 100), seconds=0.2)
    sounding = set(synth.voices.pitch[synth.voices.sounding].tolist())
    assert sounding == {*range(30, 30 + POLYPHONY), 100} - {50}


@pytest.mark.parametrize("pitch", [24, 48, 60])
def test_notes_begin_end_and_repeat_without_a_click(pitch: int) -> None:
    synth = Synth(RATE)
    struck = play(synth, on(pitch, 100), seconds=0.5)
    released = play(synth, off(pitch), seconds=0.5)
    again = play(synth, on(pitch, 100), seconds=0.02)
    repeated = play(synth, on(pitch, 100), seconds=0.1)
    jumps = np.abs(np.diff(np.concatenate([np.zeros((1, 2)), struck, released, again, repeated]), axis=0))
    assert jumps.max() < 1.3 * jumps[RATE // 100 : RATE // 4].max()  # no larger than in the tone itself


def test_any_stream_of_bytes_is_survived() -> None:
    stream = np.random.default_rng(1).integers(0, 256, 6000, np.uint8).tobytes()
    synth = Synth(RATE)
    messages, _ = split(stream)
    for start in range(0, len(messages), 100):
        assert np.abs(play(synth, *messages[start : start + 100], seconds=0.01)).max() < 1
    play(synth, *(control(123, 0, channel) for channel in range(16)), seconds=3)
    assert synth.silent


def test_messages_are_found_in_a_stream_cut_anywhere() -> None:
    stream = on(60) + b"\xf8\x40" + bytes([0xC1, 5]) + off(60)
    whole = [on(60), bytes([0xC1, 5]), off(60)]
    for cut in range(len(stream)):
        first, rest = split(stream[:cut])
        second, left = split(rest + stream[cut:])
        assert first + second == whole
        assert not left
