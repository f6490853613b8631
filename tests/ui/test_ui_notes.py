from improv.live.messages import Sounded
from ui.notes import Note, Notes


def test_a_note_lasts_from_its_begin_to_its_end():
    notes = Notes()
    notes.hear(Sounded("player", 60, 90, 1.0))
    assert list(notes) == [Note("player", 60, 90, 1.0, None)]
    notes.hear(Sounded("player", 60, 0, 1.5))
    assert list(notes) == [Note("player", 60, 90, 1.0, 1.5)]


def test_a_note_struck_again_ends_and_begins_anew():
    notes = Notes()
    notes.hear(Sounded("partner", 60, 90, 1.0))
    notes.hear(Sounded("partner", 60, 70, 2.0))
    assert [(note.begin, note.end) for note in notes] == [(1.0, 2.0), (2.0, None)]


def test_the_same_pitch_in_both_parts_is_two_notes():
    notes = Notes()
    notes.hear(Sounded("partner", 60, 90, 1.0))
    notes.hear(Sounded("player", 60, 90, 1.0))
    notes.hear(Sounded("player", 60, 0, 1.5))
    assert [(note.part, note.end) for note in notes] == [("partner", None), ("player", 1.5)]


def test_an_end_without_a_begin_is_no_note():
    notes = Notes()
    notes.hear(Sounded("player", 60, 0, 1.0))
    assert not len(notes)


def test_what_sounds_ends_with_the_music():
    notes = Notes()
    notes.hear(Sounded("player", 60, 90, 1.0))
    notes.end_all(3.0)
    notes.hear(Sounded("player", 60, 0, 0.0))  # the key goes up later, when there is no beat any more
    assert [(note.begin, note.end) for note in notes] == [(1.0, 3.0)]


def test_an_evening_of_music_is_not_kept_in_memory():
    notes = Notes()
    for beat in range(5000):
        notes.hear(Sounded("partner", 60, 90, float(beat)))
        notes.hear(Sounded("partner", 60, 0, beat + 0.9))
    assert len(notes) < 200
