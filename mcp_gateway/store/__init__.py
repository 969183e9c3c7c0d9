"""What is kept between starts. The only place that imports SQLModel."""
