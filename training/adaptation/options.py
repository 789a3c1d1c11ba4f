"""Options of an adaptation."""

from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path

from training.data.readers import ReadingOptions
from training.fit.class_weights import ClassWeights


@dataclass(frozen=True)
class AdaptOptions:
    """Options of an adaptation.

    Args:
        train: labeled file.
        to: the new bundle's folder.
        from_: the bundle to begin with: a folder, or default.
        validation: labeled file that chooses the epoch and calibrates; by default a part of the training file.
        test: labeled file on which before and after are compared; without it the report uses the validation texts.
        unlabelled: file of further texts without labels; the new model learns from the teacher's scores of them.
        teacher: a Hugging Face transformer's folder. It is fine-tuned on the training texts and scores all texts.
        bfloat16: the teacher computes in bfloat16, about twice as fast on processors and GPUs with such units.
        reading: how these files are read.
        class_weights: balanced counts all labels alike, however rare; none counts all texts alike. By default balanced,
            and none with multi_label, where each label's threshold is chosen instead.
        epochs: passes over the training texts; 0 chooses by their number.
        learning_rate: of the head; each layer below it has a lower one. 0 chooses by the number of texts.
        layer_decay: the factor between them.
        name: the new model's name in answers; by default that of its folder.
        run_folder: folder of everything but the bundle; by default runs/NAME.
        seed: of the split, the order of texts and dropout.
        overwrite: replace an adaptation in the same folders.
    """

    _: KW_ONLY
    train: Path
    to: Path
    from_: str = "default"
    validation: Path | None = None
    test: Path | None = None
    unlabelled: Path | None = None
    teacher: str | None = None
    bfloat16: bool = False
    reading: ReadingOptions = field(default_factory=ReadingOptions)
    class_weights: ClassWeights | None = None
    epochs: int = 0
    learning_rate: float = 0.0
    layer_decay: float = 0.7
    name: str = ""
    run_folder: Path | None = None
    seed: int = 0
    overwrite: bool = False

    @property
    def weights(self) -> ClassWeights:
        """``class_weights``, chosen if it was not given."""
        return self.class_weights or ("none" if self.reading.multi_label else "balanced")

    @property
    def folder(self) -> Path:
        """Folder of everything but the bundle."""
        return self.run_folder or Path("runs") / self.to.name

    @property
    def model_name(self) -> str:
        """The new model's name."""
        return self.name or self.to.resolve().name.lower().replace(" ", "-")
