"""The line at the bottom: how well the engine keeps up, and where the take was kept."""

from pathlib import Path

from PyQt6.QtCore import Qt, QUrl
from PyQt6.QtGui import QDesktopServices
from PyQt6.QtWidgets import QHBoxLayout, QPushButton, QWidget

from improv.live.messages import Status
from ui.style import label, set_kind


class StatusLine(QWidget):
    """Small figures; the take's path opens its folder."""

    def __init__(self) -> None:
        super().__init__()
        self.figures = label("", "caption")
        self.figures.setAccessibleName("engine figures")
        self.take = QPushButton()
        self.take.setAccessibleName("kept take")
        set_kind(self.take, "plain")
        self.take.hide()
        self.take.clicked.connect(self._open_folder)
        self._path = Path()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.figures)
        layout.addStretch(1)
        layout.addWidget(self.take)

    def show_status(self, status: Status) -> None:
        """Draw the figures of the engine."""
        frames = "frame" if status.missed == 1 else "frames"
        parts = [
            f"{status.missed} missed {frames}",
            f"computing {status.compute_ms:.1f} ms",
            f"late {status.lateness_ms:.1f} ms",
        ]
        if status.sampler:
            short = 0 < status.steps < status.knobs.get("k", 0)
            parts.append(f"{status.sampler} chain" + f", {status.steps} steps" * short)
        if status.priority:
            parts.append(f"{status.priority} priority")
        self.figures.setText("   ".join(parts))
        self.figures.setToolTip(status.chosen)

    def show_take(self, path: str) -> None:
        """Say where the take was kept."""
        self._path = Path(path)
        home = Path.home()
        shown = f"~/{self._path.relative_to(home)}" if self._path.is_relative_to(home) else path
        text = self.take.fontMetrics().elidedText(f"take kept: {shown}", Qt.TextElideMode.ElideMiddle, 440)
        self.take.setText(text.replace("&", "&&"))
        self.take.setToolTip(f"{path}: click to open its folder")
        self.take.show()

    def forget_take(self) -> None:
        """A new take begins: the last one's place is no news any more."""
        self.take.hide()

    def _open_folder(self) -> None:
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._path.absolute().parent)))
