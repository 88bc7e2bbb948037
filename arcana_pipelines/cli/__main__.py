from arcana_pipelines.cli.main import main

main()
