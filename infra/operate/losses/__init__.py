"""What is done about records that are lost: what the speed tables hold of them is sent again. Knows no Spark."""
