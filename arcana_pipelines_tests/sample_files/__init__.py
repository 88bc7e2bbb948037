"""The files that hang on pages of the sample workspace, made anew: `python -m arcana_pipelines_tests.sample_files`."""
