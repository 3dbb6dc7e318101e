"""What is kept on disk: rows as CSV for the day that runs, numbered Parquet for every day that is complete."""
