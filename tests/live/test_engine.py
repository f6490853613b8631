"""The engine on a virtual clock: what is played, and exactly when."""

from pathlib import Path

import pytest
from studio import STARTED, Studio, sounding_after

from improv.live.inputs import InputLost
from improv.live.jobs import Answer, Failed, Follow, Job, Think
from improv.live.messages import Panic, Play, Problem, SetKnob, SetMode, SetOutput, Stop, TakeKept
from improv.music.midifile import read_score

FRAME = 0.125  # seconds: a sixteenth at 120 BPM


@pytest.fixture
def studio(tiny_model: Path, tmp_path: Path) -> Studio:
    return Studio(tiny_model, tmp_path / "take.mid", mode="solo")


def frames_from_start(at: float, frame: float = FRAME) -> float:
    return (at - STARTED) / frame


def test_every_onset_is_exactly_on_its_tick(studio: Studio) -> None:
    studio.run(30)
    onsets = [at for at, _, velocity in studio.partner if velocity]
    assert len(onsets) > 50
    assert all(abs(frames_from_start(at) - round(frames_from_start(at))) < 1e-6 for at in onsets)


def test_ten_hours_do_not_drift(studio: Studio) -> None:
    performance_seconds = 10 * 3600
    studio.at(0.1, SetMode("trade"))
    studio.at(0.2, SetKnob("k", 1))
    studio.at(0.3, SetKnob("tempo", 20))
    studio.run(performance_seconds)
    last = max(at for at, _, velocity in studio.partner if velocity)
    assert last > performance_seconds - 120
    in_new_frames = (last - 0.3) / 0.75 + (0.3 - STARTED) / FRAME
    assert abs(in_new_frames - round(in_new_frames)) < 1e-4


def test_same_seed_and_same_input_give_the_same_notes(tiny_model: Path, tmp_path: Path) -> None:
    takes = []
    for name in ("one", "two"):
        studio = Studio(tiny_model, tmp_path / f"{name}.mid", seed=7)
        studio.note(0.6, 60, until=3.0)
        studio.note(1.1, 64, until=2.0)
        studio.run(5)
        takes.append(studio.partner)
    assert takes[0] == takes[1]
    assert takes[0]


def test_nothing_sounds_after_stop_and_the_take_is_kept(studio: Studio) -> None:
    studio.at(9.99, Stop())
    studio.run(12)
    assert sounding_after(studio.partner) == set()
    assert max(at for at, *_ in studio.partner) <= 9.99 + 1e-6
    assert TakeKept(str(studio.take)) in studio.reports
    assert len(read_score(studio.take).notes) == sum(velocity > 0 for _, _, velocity in studio.partner)


def test_quit_while_playing_releases_every_note_and_closes_the_outputs(studio: Studio) -> None:
    studio.run(4.99)
    assert sounding_after(studio.partner) == set()
    assert studio.tapes["virtual"].closed
    assert studio.take.exists()


def test_an_exception_in_the_loop_still_releases_and_keeps_the_take(studio: Studio) -> None:
    studio.clock.put(_Bomb(), 5.03)
    with pytest.raises(_Bang):
        studio.run(10)
    assert sounding_after(studio.partner) == set()
    assert studio.take.exists()


class _Bang(Exception):
    pass


class _Bomb:
    def __getattribute__(self, name: str) -> object:
        raise _Bang


def test_panic_silences_every_channel_and_the_beat_goes_on(studio: Studio) -> None:
    studio.at(5.03, Panic())
    studio.run(8)
    at_panic = [message for at, message in studio.tapes["virtual"].messages if abs(at - 5.03) < 1e-9]
    assert {(0xB0 | channel, 123) for channel in range(16)} <= {(message[0], message[1]) for message in at_panic}
    before = [note for note in studio.partner if note[0] <= 5.03 + 1e-9]
    assert sounding_after(before) == set()
    assert any(at > 5.5 and velocity for at, _, velocity in studio.partner)


def test_a_change_of_tempo_makes_no_gap_no_burst_and_no_jump_of_the_beat(studio: Studio) -> None:
    for step in range(50):
        studio.at(2 + step * 0.02, SetKnob("tempo", 20 + step * 280 / 49))
    studio.run(6)
    assert sounding_after(studio.partner) == set()
    ticks = sorted({at for at, *_ in studio.partner if 3.0 < at < 5.9})
    spacing = 60 / 300 / 4
    offsets = [(at - ticks[0]) / spacing for at in ticks]
    assert all(abs(offset - round(offset)) < 1e-6 for offset in offsets)
    assert studio.status().missed == 0


def test_duet_waits_for_the_player_and_rests_when_the_player_has_left(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid")
    studio.note(4.05, 60, until=8.0)
    studio.run(20)
    onsets = [at for at, _, velocity in studio.partner if velocity]
    assert min(onsets) >= 4.05
    assert max(onsets) < 8.0 + 2 * 2.0 + 0.2  # two bars of patience
    assert sounding_after([note for note in studio.partner if note[0] < 13]) == set()


def test_trade_gives_the_partner_every_other_two_bars(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", mode="trade")
    studio.run(16)
    bars = {int(frames_from_start(at) / 16 + 1e-6) for at, _, velocity in studio.partner if velocity}
    assert bars <= {2, 3, 6, 7}
    assert {2, 6} <= {bar & ~1 for bar in bars}


def test_the_partner_never_doubles_a_note_the_player_holds(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid")
    held = set(range(55, 70, 2))
    for pitch in held:
        studio.note(1.0, pitch)
    studio.run(10)
    assert not held & {pitch for at, pitch, velocity in studio.partner if velocity and at > 1.2}


def test_a_very_short_note_between_two_ticks_is_in_the_take_and_wakes_the_partner(
    tiny_model: Path, tmp_path: Path
) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid")
    studio.note(1.10, 72, until=1.101)
    studio.run(5)
    player = [note for note in read_score(studio.take).notes if note.track == 1]
    assert [note.pitch for note in player] == [72]
    assert any(velocity for _, _, velocity in studio.partner)


def test_a_missed_frame_is_counted_and_what_sounds_is_held(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", mode="solo")
    answers = studio.engine.thinker.ask
    studio.engine.thinker.ask = lambda job: answers(job) if studio.clock.now() < 5 or studio.clock.now() > 6 else None  # type: ignore[method-assign]
    studio.run(8)
    during = [note for note in studio.partner if 5.2 < note[0] < 6.0]
    assert during == []
    assert studio.status().missed >= 6


@pytest.mark.parametrize("minutes", [0, 1])
@pytest.mark.parametrize("at", [3.0, 3.049, 3.051])  # in the middle of a frame, just before its tick, just after it
def test_a_suspended_machine_goes_on_without_a_burst(studio: Studio, at: float, minutes: int) -> None:
    """Meanwhile its clock stands still, as Linux's CLOCK_MONOTONIC does, or goes on, as other systems' do."""
    studio.suspend(at, minutes)
    awake = at + 60 * minutes
    studio.run(awake + 8)
    onsets = [moment for moment, _, velocity in studio.partner if velocity]
    after = [moment for moment in onsets if moment >= awake]
    assert len({moment for moment in after if moment < awake + 0.3}) <= 4
    assert min(after) < awake + 16 * FRAME, "within a bar"
    settled = [frames_from_start(moment) for moment in after if moment > awake + 0.2]
    assert len(settled) > 40
    assert all(abs(frames - round(frames)) < 1e-6 for frames in settled), "on the grid it was on before"
    assert not [moment for moment in onsets if at < moment < awake]
    assert sounding_after(studio.partner) == set()
    assert len(read_score(studio.take).notes) == len(onsets)


@pytest.mark.usefixtures("music_folder")
def test_where_no_take_can_be_written_that_is_told_once_and_the_music_goes_on(tiny_model: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    studio = Studio(tiny_model, tmp_path / "file" / "take.mid", mode="solo")
    studio.run(5)
    problems = [report.text for report in studio.reports if isinstance(report, Problem)]
    assert len(problems) == 1
    assert "cannot record" in problems[0]
    assert any(at > 4 and velocity for at, _, velocity in studio.partner)


def test_knobs_out_of_range_are_refused_in_one_line_and_the_music_goes_on(studio: Studio) -> None:
    studio.at(1, SetKnob("tempo", 1000))
    studio.at(1, SetKnob("volume", 1))
    studio.at(1, SetMode("karaoke"))
    studio.run(3)
    problems = [report.text for report in studio.reports if isinstance(report, Problem)]
    assert len(problems) == 3
    assert "20..300" in problems[0]
    assert any(at > 2 for at, *_ in studio.partner)


def test_an_output_that_is_dropped_is_silenced(studio: Studio) -> None:
    studio.at(3.03, SetOutput(["synth"]))
    studio.run(6)
    old, new = studio.tapes["virtual"], studio.tapes["synth"]
    assert old.closed
    assert old.messages[-1][1][1] in (120, 123)
    assert any(velocity for _, _, velocity in new.notes)


def test_the_synth_sounds_both_parts_and_a_port_the_partner_alone(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", outputs=["virtual", "synth"])
    studio.note(1.0, 100, until=2.0)
    studio.run(3)
    assert 100 in {pitch for _, pitch, _ in studio.tapes["synth"].notes}
    assert 100 not in {pitch for _, pitch, _ in studio.tapes["virtual"].notes}


def test_every_performance_has_a_take_of_its_own(studio: Studio) -> None:
    studio.at(3.0, Stop())
    studio.at(4.0, Play())
    studio.run(6)
    second = studio.take.with_name("take-2.mid")
    kept = [report for report in studio.reports if isinstance(report, TakeKept)]
    assert kept == [TakeKept(str(studio.take)), TakeKept(str(second))]
    assert read_score(studio.take).notes != read_score(second).notes


def test_keys_held_over_play_and_stop_are_in_the_take_as_long_as_they_were_held(
    tiny_model: Path, tmp_path: Path
) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid")
    studio.at(0.5, Stop())
    studio.note(1.0, 72)
    studio.at(2.0, Play())
    studio.at(4.0, Stop())
    studio.run(5)
    player = [note for note in read_score(studio.take).notes if note.track == 1]
    assert [(note.pitch, round(note.onset, 1), round(note.end, 1)) for note in player] == [(72, 0.0, 3.9)]


def test_a_key_struck_between_question_and_tick_is_not_struck_by_the_partner_too(
    tiny_model: Path, tmp_path: Path
) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", mode="solo")
    just_before_a_tick = STARTED + 16 * FRAME - 0.002
    for pitch in range(51, 71):
        studio.note(just_before_a_tick, pitch, until=just_before_a_tick + 0.5)
    studio.run(3)
    assert not [n for n in studio.partner if n[2] and just_before_a_tick < n[0] < just_before_a_tick + 0.1]


def test_a_partner_that_is_always_late_is_heard_all_the_same(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", mode="solo")
    put = studio.clock.put
    studio.clock.put = lambda item, at=0.0: put(item, studio.clock.now() + 0.1 if isinstance(item, Answer) else at)  # type: ignore[method-assign]
    studio.run(10)
    assert sum(velocity > 0 for _, _, velocity in studio.partner) > 20
    assert studio.status().missed > 20


def test_where_something_else_than_an_answer_fails_the_answer_is_still_awaited(studio: Studio) -> None:
    answers, asked = studio.engine.thinker.ask, []

    def ask(job: Job) -> None:
        if studio.clock.now() < 2 or not isinstance(job, Think):
            answers(job)
        else:
            asked.append(job)

    studio.engine.thinker.ask = ask  # type: ignore[method-assign]
    studio.clock.put(Failed("no such key", Follow(None)), 3.0)
    studio.run(4)
    assert len(asked) == 1, "the next is asked for when this one has been answered"


def test_when_the_keyboard_is_gone_its_pedal_is_up(tiny_model: Path, tmp_path: Path) -> None:
    studio = Studio(tiny_model, tmp_path / "take.mid", outputs=["synth"])
    studio.midi(1.0, [0xB0, 64, 127])
    studio.clock.put(InputLost(), 2.0)
    studio.run(3)
    pedals = [
        message for at, message in studio.tapes["synth"].messages if message[:2] == bytes([0xB0, 64]) and at < 2.5
    ]
    assert pedals[-1][2] == 0


def test_a_command_of_the_wrong_types_is_refused_and_the_music_goes_on(studio: Studio) -> None:
    studio.at(1.0, SetKnob("tempo", "fast"))  # type: ignore[arg-type]
    studio.at(1.0, SetMode(["x"]))  # type: ignore[arg-type]
    studio.run(3)
    assert sum(isinstance(report, Problem) for report in studio.reports) == 2
    assert any(at > 2 for at, *_ in studio.partner)


def test_a_tune_as_input_is_played_in_its_time(tiny_model: Path, tmp_path: Path) -> None:
    from improv.music.midifile import write_midi
    from improv.music.score import Note

    tune = tmp_path / "tune.mid"
    write_midi(tune, {"tune": [Note(beat, beat + 0.5, 60 + beat, 90) for beat in range(8)]}, 120.0)
    studio = Studio(tiny_model, tmp_path / "take.mid", input=str(tune), autoplay=True)
    studio.run(30)
    player = [note for note in read_score(studio.take).notes if note.track == 1]
    assert [note.pitch for note in player] == list(range(60, 68))
    assert [round(note.onset, 2) for note in player] == [float(beat) for beat in range(8)]
    assert studio.clock.now() < 10  # a bar after the tune's end it stops by itself
