"""The rows on disk: CSV for the current day, numbered Parquet files for every complete day."""
