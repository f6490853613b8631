"""What is chosen rather than turned: mode, key, model, ports and what keeps the beat."""

from pathlib import Path

from PyQt6.QtCore import Qt, pyqtSignal
from PyQt6.QtGui import QAction
from PyQt6.QtWidgets import (
    QButtonGroup,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QWidget,
)

from improv.live.messages import Ports, SetInput, SetKey, SetMode, SetModel, SetOutput, SetSync, Status
from improv.live.modes import MODES
from improv.live.process import Settings
from improv.live.sync import SYNCS
from improv.music.key import KEYS, parse_key
from ui.drop_down import DropDown, MenuButton
from ui.style import label, set_kind

AUTO = "auto"
_KEYS = {AUTO: "auto: follows you", **{key.name: key.name for key in KEYS}}
_INPUTS = {"virtual": "improv in (virtual)"}
_OUTPUTS = {"virtual": "improv out (virtual)", "synth": "synth (built in)"}
_SHORT = {"virtual": "improv out"}
_CONNECTED, _AWAITED = "●", "○"


class Choices(QWidget):
    """The form beside the knobs."""

    command = pyqtSignal(object)
    """A SetMode, SetKey, SetModel, SetInput, SetOutput or SetSync."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._model = settings.model
        self._ports = Ports("", [], [])
        self._outputs = settings.outputs or []
        self._engine_chooses = settings.outputs is None  # its outputs, until a hand chooses others
        self._modes = QButtonGroup(self)
        self.key, self.input, self.output = DropDown("key"), DropDown("input port"), MenuButton("output ports")
        self.sync = DropDown("what keeps the beat")
        self.model = QPushButton()
        self.model.setAccessibleName("model")
        self.model.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self._input_label, self._output_label = label("input", "caption"), label("output", "caption")
        self._sync_label = label("sync", "caption")
        self._lay_out()
        self.show_mode(settings.mode)
        self.key.offer(_KEYS, settings.key if settings.key == AUTO else parse_key(settings.key).name)
        self.sync.offer({name: name for name in SYNCS}, settings.sync)
        self.sync.setToolTip("\n".join(f"{name}: {meaning}" for name, meaning in SYNCS.items()))
        self._name_model(settings.model)
        self._offer_input(settings.input or next(iter(_INPUTS)))
        self._offer_outputs()
        self.key.activated.connect(lambda: self.command.emit(SetKey(self.key.chosen)))
        self.input.activated.connect(lambda: self.command.emit(SetInput(self.input.chosen)))
        self.sync.activated.connect(lambda: self.command.emit(SetSync(self.sync.chosen)))
        self.model.clicked.connect(self._open_model)

    def mode_button(self, name: str) -> QPushButton:
        """The button of the mode `name`."""
        return self._mode_buttons[name]

    def show_mode(self, name: str) -> None:
        """Mark the mode that is played."""
        if name in self._mode_buttons:
            self._mode_buttons[name].setChecked(True)

    def show_sync(self, name: str) -> None:
        """Show what keeps the beat."""
        self.sync.setCurrentIndex(max(self.sync.findData(name), 0))

    def show_ports(self, ports: Ports) -> None:
        """Offer what can be connected now; what is chosen stays chosen, whether it is there or not."""
        self._ports = ports
        self._offer_input(self.input.chosen)
        self._offer_outputs()

    def show_status(self, status: Status) -> None:
        """Draw the model's name, and whether the ports and the clock to follow are there."""
        if status.model:
            self._name_model(status.model)
        if self._engine_chooses and status.outputs and [*status.outputs] != self._outputs:
            self._outputs = [*status.outputs]
            self._offer_outputs()
        _show_connections(self._input_label, "input", status.inputs)
        _show_connections(self._output_label, "output", status.outputs)
        clock = {} if status.sync == "internal" else {status.sync: status.following}
        _show_connections(self._sync_label, "sync", clock)

    def output_actions(self) -> list[QAction]:
        """The entries of the outputs' menu, checked where they are played to."""
        return self.output.list.actions()

    def _lay_out(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        left = (label("mode", "caption"), self._input_label, label("model", "caption"))
        right = (label("key", "caption"), self._output_label, self._sync_label)
        for row, caption in enumerate(left):
            grid.addWidget(caption, row, 0)
        for row, caption in enumerate(right):
            grid.addWidget(caption, row, 2)
        grid.addWidget(self._mode_row(), 0, 1)
        grid.addWidget(self.key, 0, 3)
        grid.addWidget(self.input, 1, 1)
        grid.addWidget(self.output, 1, 3)
        grid.addWidget(self.model, 2, 1)
        grid.addWidget(self.sync, 2, 3)
        for column in (1, 3):
            grid.setColumnStretch(column, 1)

    def _mode_row(self) -> QWidget:
        row = QWidget()
        layout = QHBoxLayout(row)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        self._mode_buttons: dict[str, QPushButton] = {}
        for name, mode in MODES.items():
            button = QPushButton(name)
            button.setCheckable(True)
            button.setToolTip(mode.help)
            button.setAccessibleName(f"mode {name}")
            button.setAccessibleDescription(mode.help)
            set_kind(button, "segment")
            button.clicked.connect(lambda _, name=name: self.command.emit(SetMode(name)))
            self._modes.addButton(button)
            self._mode_buttons[name] = button
            layout.addWidget(button)
        return row

    def _offer_input(self, chosen: str) -> None:
        self.input.offer(_offered(_INPUTS, *self._ports.inputs, chosen), chosen)

    def _offer_outputs(self) -> None:
        self.output.list.clear()
        for name, text in _offered(_OUTPUTS, *self._ports.outputs, *self._outputs).items():
            action = self.output.list.addAction(_plain(text))
            assert action is not None
            action.setCheckable(True)
            action.setChecked(name in self._outputs)
            action.toggled.connect(lambda on, name=name: self._set_output(name, on))
        self._name_outputs()

    def _set_output(self, name: str, on: bool) -> None:
        self._outputs = [other for other in self._outputs if other != name] + [name] * on
        self._engine_chooses = False
        self._name_outputs()
        self.command.emit(SetOutput(self._outputs))

    def _name_outputs(self) -> None:
        names = ", ".join(_SHORT.get(name, name) for name in self._outputs) or "none"
        _set_text(self.output, names)
        self.output.setToolTip(f"the partner plays to: {names}")

    def _name_model(self, model: str) -> None:
        self._model = model
        _set_text(self.model, Path(model).name)
        self.model.setToolTip(f"{model}: click to choose another")

    def _open_model(self) -> None:
        dialog = QFileDialog(self, "Choose a model", str(Path(self._model).parent), "improv models (*.pt)")
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(lambda path: self.command.emit(SetModel(path)))
        dialog.open()


def _offered(fixed: dict[str, str], *names: str) -> dict[str, str]:
    """Texts by name: the fixed ones, then the others under their own names, each once."""
    return {**fixed, **{name: fixed.get(name, name) for name in names}}


def _plain(text: str) -> str:
    return text.replace("&", "&&")  # a lone ampersand would underline the next letter


def _set_text(button: QPushButton, text: str) -> None:
    button.setText(_plain(text))
    button.setAccessibleDescription(text)


def _show_connections(caption: QLabel, word: str, ports: dict[str, bool]) -> None:
    """Mark the caption `word`: full where every port is connected, hollow where one is awaited."""
    mark = "" if not ports else f" {_CONNECTED if all(ports.values()) else _AWAITED}"
    caption.setText(word + mark)
    states = (f"{name}: {'connected' if there else 'waiting for it'}" for name, there in ports.items())
    caption.setToolTip("\n".join(states))
