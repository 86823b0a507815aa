"""Presets of ingest for literal input files, and the rows that come of them without Spark."""

from pathlib import Path

from pipeline.ingest_sources import IngestConfig, SourceConfig, plan, transform
from tests.pipeline.warc_files import compressed

PRESET = """
files_per_shard = 2
max_content_bytes = 100000
max_expansion = 200
"""


def config_of(*sources: SourceConfig) -> IngestConfig:
    return IngestConfig(
        files_per_shard=2,
        max_content_bytes=100_000,
        max_expansion=200,
        sources=sources,
    )


def rows_of(config: IngestConfig) -> list[dict[str, object]]:
    return [row for shard in plan(config) for table in transform(shard, config) for row in table.to_pylist()]


def web(path: Path, *records: bytes, packed: bool = True) -> IngestConfig:
    path.write_bytes(compressed(*records) if packed else b"".join(records))
    return config_of(SourceConfig(name="web", path=str(path), format="warc"))


def preset(folder: Path, name: str, path: Path, file_format: str = "warc") -> Path:
    folder.mkdir(exist_ok=True)
    source = f'[[sources]]\nname = "{name}"\npath = "{path}"\nformat = "{file_format}"\n'
    (folder / "ingest.toml").write_text(PRESET + source)
    return folder
