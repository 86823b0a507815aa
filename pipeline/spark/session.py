"""The only place a SparkSession is made.

Master, memory and parallelism come from spark-submit or spark-defaults; local[*] only when nothing is set.
"""

import os
import sys

from pyspark.sql import SparkSession

from configs.tables import BATCH_ROWS

SETTINGS = {
    # HTML rows are large: Spark's default of 10,000 rows per Arrow batch would be gigabytes.
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_ROWS),
    "spark.sql.execution.arrow.maxBytesPerBatch": str(16 << 20),
    # `source=2024` must stay a string.
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.python.worker.faulthandler.enabled": "true",
}


def spark_session(job: str) -> SparkSession:
    """The session of this driver, made on the first call; `job` is its name in the Spark UI."""
    # Executors must run the driver's interpreter when nothing says otherwise.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName(f"reasonmill {job}")
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark
