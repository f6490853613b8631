# `make play` starts improv, `make test` checks it. Both prepare the machine first, once.

VENV    := .venv
PYTHON  ?= python3
BIN     := $(VENV)/bin
OPENS   := from ui.display import connect_display; connect_display()

# Debian packages: what the program loads at run time, and what the tests start.
RUN_PACKAGES  := python3-venv libasound2 libjack-jackd2-0 libportaudio2 libglib2.0-0 libegl1 libgl1 libx11-6 \
                 libxkbcommon0 libdbus-1-3 libfontconfig1 libfreetype6 libxcb-cursor0 libxcb-icccm4 libxcb-keysyms1 \
                 libxcb-image0 libxcb-randr0 libxcb-render-util0 libxcb-shape0 libxcb-xkb1 libxkbcommon-x11-0 libx11-xcb1
TEST_PACKAGES := $(RUN_PACKAGES) jackd2 jack-example-tools xvfb sox fluidsynth timgm6mb-soundfont

.PHONY: play test install lint clean system-run system-test

play: $(VENV)/.installed system-run
	@if $(BIN)/python -c "$(OPENS)" 2>/dev/null; then \
	    $(BIN)/improv play; \
	else \
	    echo "no window can be opened here: a tune is played with the partner, which takes a good minute"; \
	    $(BIN)/improv play --headless --input assets/demo.mid --record take.mid --plot take.png; \
	fi

test: $(VENV)/.tested system-test lint
	$(BIN)/python -m pytest

lint: $(VENV)/.tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml constraints.txt | system-run
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/.tested: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

system-run:
	@sh assets/system_packages.sh $(RUN_PACKAGES)

system-test:
	@sh assets/system_packages.sh $(TEST_PACKAGES)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
