"""One input and its output: checked before the work, cut into parts, joined after it."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model_store.atomic_write import atomic_path
from model_store.bundle import Bundle
from model_store.hashing import file_sha256
from model_store.listing import listed
from model_store.scoring import part_files
from model_store.scoring.part_files import PartFiles
from model_store.scoring.records import ScoreError
from model_store.scoring.sources import OutputFormat, Source, open_source, output_format_of
from model_store.scoring.worker import ScoreOptions, csv_header, vector_width
from model_store.table import column_types
from model_store.version import __version__


@dataclass(frozen=True, kw_only=True)
class FileJob:
    """What is to be done with one input.

    Attributes:
        input: the input, opened.
        files: the output and its parts.
        format: of the output.
        options: what is read and written.
        bundle: the model.
        identity: what two runs must have in common to write parts of one output.
        bytes: of the input as it is on the disk.
    """

    input: Source
    files: PartFiles
    format: OutputFormat
    options: ScoreOptions
    bundle: Bundle
    identity: dict[str, object]
    bytes: int

    @property
    def make(self) -> dict[str, Any]:
        """The arguments of a ``Scorer`` beside the model."""
        return {"options": self.options, "columns": self.input.columns, "output": self.format, "files": self.files}

    def finished(self) -> set[int]:
        """Numbers of the parts that an earlier run finished."""
        return {int(path.stem) for path in self.files.folder.glob(f"[0-9]*{self.files.output.suffix}")}

    def join(self, count: int) -> int:
        """Make the output of so many parts; the number of rows that have no answer."""
        files = self.files
        if self.options.vectors == "none" or self.format == "parquet":
            files.all_vectors.unlink(missing_ok=True)  # an older run's
        else:
            width = vector_width(self.bundle.manifest.architecture, self.options.vectors)
            part_files.join_vectors(files, count, width=width)
        bad = part_files.join_bad(files, count)
        if self.format == "parquet":
            from model_store.scoring.parquet import join_parquet  # noqa: PLC0415 - pyarrow is optional, and 60 MB

            with atomic_path(files.output) as path:
                join_parquet(path, [files.rows(number) for number in range(count)])
        else:
            answers = column_types(self.bundle.manifest, prefix=self.options.prefix)
            header = csv_header([*self.input.columns, *answers]) if self.format == "csv" else b""
            part_files.join_text(files, count, header=header)
        return bad


def open_job(source: Path, *, to: Path, bundle: Bundle, options: ScoreOptions) -> FileJob:
    """Look at an input, and check that its answers can be written.

    Raises:
        ScoreError: the file cannot be scored, or the output cannot be written or hold what is asked for.
        OSError: the file cannot be read.
    """
    output = output_format_of(to)
    if options.sentences and output == "csv":
        message = f"{to}: a text's sentences are a list, which CSV cannot hold. Write .jsonl or .parquet with --to."
        raise ScoreError(message)
    if to.resolve() == source.resolve():
        message = f"{to}: the output would replace the input. Give another name with --to."
        raise ScoreError(message)
    input_ = open_source(
        source, text_column=options.text_column, encoding=options.encoding, output=output, vectors=options.vectors
    )
    added = [*column_types(bundle.manifest, prefix=options.prefix)]
    added += [options.vector_column] if options.vectors != "none" else []
    added += [options.sentence_column] if options.sentences else []
    if taken := [name for name in added if name in input_.columns]:
        message = (
            f"{source}: it already has the columns that the answers would get: {listed(taken)}. "
            "Pass another --prefix for the answers."
        )
        raise ScoreError(message)
    identity = {
        "input": file_sha256(source),
        "model": bundle.sha256,
        "output": output,
        "software": __version__,
        **asdict(options),
    }
    return FileJob(
        input=input_,
        files=PartFiles(to),
        format=output,
        options=options,
        bundle=bundle,
        identity=identity,
        bytes=source.stat().st_size,
    )
